"""BitConfig: short names, round trips, and the text of every error."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import ACTIVATION_TYPES, WEIGHT_TYPES, BitConfig, ModelError

WEIGHTS = "BIPOLAR, TERNARY, INT2, INT3, INT4, INT5, INT6, INT7, INT8"
CODES = "POW3, POW4, CODE2, CODE3, CODE4"
ACTIVATIONS = f"{WEIGHTS}, UINT1, UINT2, UINT3, UINT4, UINT5, UINT6, UINT7, UINT8"

MIXED = BitConfig(
    ("BIPOLAR", "TERNARY", "INT4"),
    ("UINT2", "INT3"),
    input="UINT4",
    per_channel=(True, False, False),
    weight_scale=("float", "power_of_two", "constant"),
    activation_scale=("power_of_two", "float"),
    input_scale="power_of_two",
)


def test_types_are_the_documented_ones() -> None:
    assert ", ".join(WEIGHT_TYPES) == WEIGHTS
    assert ", ".join(ACTIVATION_TYPES) == ACTIVATIONS


def test_round_trips(tmp_path: Path) -> None:
    file = tmp_path / "bits.yaml"
    file.write_text(MIXED.to_yaml())
    assert BitConfig.from_dict(MIXED.to_dict()) == MIXED
    assert BitConfig.from_json(MIXED.to_json()) == MIXED
    assert BitConfig.from_yaml(MIXED.to_yaml()) == MIXED
    assert BitConfig.from_yaml(file) == MIXED


def test_single_values_stand_for_all_layers() -> None:
    config = BitConfig(("int4", "INT4", "TERNARY"), "uint4", per_channel=(True,))
    assert config.weights == ("INT4", "INT4", "TERNARY")
    assert config.activations == ("UINT4", "UINT4")
    assert config.per_channel == (True, True, True)
    assert config.weight_scale == ("float", "float", "float")
    assert BitConfig.parse({"weights": "INT2", "activations": "UINT2"}, 3).weights == ("INT2",) * 3
    assert str(config) == "UINT8 | INT4 UINT4 | INT4 UINT4 | TERNARY"


def test_with_layer_changes_one_layer() -> None:
    config = BitConfig.uniform("INT4", "UINT4", 3)
    changed = config.with_layer(1, weight="TERNARY", activation="UINT2")
    assert changed.weights == ("INT4", "TERNARY", "INT4")
    assert changed.activations == ("UINT4", "UINT2")
    assert config.weights == ("INT4",) * 3


@pytest.mark.parametrize(
    ("name", "weight", "activation", "source"),
    [
        ("w1a1", "BIPOLAR", "BIPOLAR", "BIPOLAR"),
        ("W2A2", "INT2", "UINT2", "UINT8"),
        ("w1a2", "BIPOLAR", "UINT2", "UINT8"),
        ("w4a8", "INT4", "UINT8", "UINT8"),
        ("ternary", "TERNARY", "UINT2", "UINT8"),
        ("INT4", "INT4", "UINT4", "UINT8"),
        ("float", "FLOAT", "FLOAT", "UINT8"),
    ],
)
def test_short_names(name: str, weight: str, activation: str, source: str) -> None:
    config = BitConfig.short(name, 2)
    assert (config.weights, config.activations, config.input) == ((weight,) * 2, (activation,), source)


def test_a_network_of_one_layer_has_no_activation() -> None:
    assert BitConfig.short("w4a4", 1).activations == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: BitConfig(("INT4", "INT9"), ("UINT4",)),
            f"weights[1]: unknown type 'INT9'; legal types are {WEIGHTS}, {CODES}, FLOAT",
        ),
        (
            lambda: BitConfig(("INT4", "UINT4"), ("UINT4",)),
            f"weights[1]: unknown type 'UINT4'; legal types are {WEIGHTS}, {CODES}, FLOAT",
        ),
        (
            lambda: BitConfig(("INT4", "INT4"), ("UINT9",)),
            f"activations[0]: unknown type 'UINT9'; legal types are {ACTIVATIONS}, FLOAT",
        ),
        (lambda: BitConfig(("INT4",), (), input="FLOAT32"), f"input: unknown type 'FLOAT32'; legal types are {ACTIVATIONS}"),
        (lambda: BitConfig(("INT4",) * 3, ("UINT4",)), "activations has 1 types; 3 layers need 2"),
        (lambda: BitConfig((), ()), "weights is empty; give one type a layer"),
        (
            lambda: BitConfig("INT4", ()),  # type: ignore[arg-type]  # the fault under test
            "weights is the single name 'INT4'; give a list with one type a layer, or use BitConfig.uniform",
        ),
        (
            lambda: BitConfig(("INT4",), (), weight_scale=("log",)),
            "weight_scale: unknown value 'log'; legal values are float, power_of_two, constant",
        ),
        (lambda: BitConfig(("INT4",) * 3, "UINT4", per_channel=(True, False)), "per_channel has 2 entries; give 1 or 3"),
        (lambda: BitConfig.uniform("INT4", "UINT4", 0), "layers is 0; a network has at least 1"),
        (
            lambda: BitConfig.short("w9a1", 2),
            "unknown bit configuration 'w9a1'; use w<1-8>a<1-8>, ternary, bipolar, float, int2 .. int8, or list the types",
        ),
        (
            lambda: BitConfig.parse(MIXED, 4),
            "the bit configuration has 3 layers, the network 4; give 4 weight types",
        ),
        (
            lambda: BitConfig.from_dict({"weights": ["INT4"], "activations": [], "scales": 1}),
            "bits: unknown key 'scales'; legal keys are weights, activations, input, per_channel, weight_scale, "
            "activation_scale, input_scale, accumulator",
        ),
        (
            lambda: BitConfig(("INT4", "INT4"), ("UINT4",), accumulator=(12, 40)),
            "accumulator[1] is 40; give 2 to 32 bits, or 0 for no bound",
        ),
        (
            lambda: BitConfig(("INT4", "BIPOLAR"), ("UINT4",), accumulator=(12,)),
            "accumulator[1] is 12, but weights[1] is BIPOLAR; use INT2 .. INT8 or TERNARY",
        ),
        (
            lambda: BitConfig(("INT4",), (), accumulator=(12,), weight_scale=("constant",)),
            "accumulator[0] is 12, but weight_scale[0] is constant; use float or power_of_two",
        ),
        (lambda: BitConfig.from_dict({"weights": ["INT4"]}), "bits: 'activations' is missing; give one type a layer"),
        (lambda: BitConfig.from_yaml("[1]"), "bits: the YAML is not a mapping; give at least weights and activations"),
        (
            lambda: BitConfig.parse(4, 2),  # type: ignore[arg-type]  # the fault under test
            "bits is 4; give a short name such as w2a2, or a mapping with weights and activations",
        ),
    ],
)
def test_error_texts(call, message: str) -> None:
    with pytest.raises(ModelError) as error:
        call()
    assert str(error.value) == message
