"""Which type every weight and activation tensor of a network has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from models.errors import ModelError

WEIGHT_TYPES = ("BIPOLAR", "TERNARY", *(f"INT{n}" for n in range(2, 9)))
ACTIVATION_TYPES = (*WEIGHT_TYPES, *(f"UINT{n}" for n in range(1, 9)))
# Levels that are not evenly spaced, stored as codes: powers of two, and any 2**n integers of 8 bits.
CODEBOOK_TYPES = ("POW3", "POW4", "CODE2", "CODE3", "CODE4")
FLOAT = "FLOAT"
SCALES = ("float", "power_of_two", "constant")
INPUT_SCALES = ("float", "power_of_two")

_SHORT = re.compile(r"w([1-8])a([1-8])", re.IGNORECASE)


@dataclass(frozen=True)
class BitConfig:
    """Types of all tensors of a network with ``L`` layers (``L - 1`` hidden ones).

    Attributes
    ----------
    weights : L names of ``WEIGHT_TYPES`` or ``CODEBOOK_TYPES``. INT2 has the values -2..1, INTn above is symmetric
        (INT4: -7..7), TERNARY is exactly -1, 0, 1. POW3 has the levels 0, +-1, +-2, +-4, POW4 0, +-1 .. +-64, CODEn
        2**n levels out of -127..127 that are learned with the layer. FLOAT leaves a layer as it is: for teachers
        and starting points, which cannot be exported.
    activations : L - 1 names of ``ACTIVATION_TYPES``, one a hidden layer. UINTn follows a ReLU; FLOAT is a plain ReLU.
    input : type of the input quantiser, one of ``ACTIVATION_TYPES``. UINTn quantises the input as it
        is, in [0, 1]; signed types and BIPOLAR quantise ``2 x - 1``.
    per_channel : L flags: a weight scale per output channel instead of one per tensor.
    weight_scale : L names of ``SCALES``: learned float, learned power of two, or constant (the largest
        magnitude stands for 1.0, so BIPOLAR and TERNARY are plain integers).
    activation_scale : L - 1 names of ``SCALES``. BIPOLAR activations are always +-1.
    input_scale : ``float`` (UINT8: 1/255) or ``power_of_two`` (UINT8: 1/256).
    accumulator : L widths in bits that no sum of the layer may exceed, 0 for any: the weights are trained within the
        bound (A2Q: Colbert et al., arXiv 2308.13504; with unsigned inputs A2Q+, arXiv 2401.10432). For INTn and TERNARY
        weights with a learned scale.

    A single name or flag stands for all layers: ``BitConfig(("INT4", "INT2"), "UINT4")``.
    """

    weights: tuple[str, ...]
    activations: tuple[str, ...]
    input: str = "UINT8"
    per_channel: tuple[bool, ...] = (False,)
    weight_scale: tuple[str, ...] = ("float",)
    activation_scale: tuple[str, ...] = ("float",)
    input_scale: str = "float"
    accumulator: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        weights: object = self.weights
        if isinstance(weights, str):
            raise ModelError(
                f"weights is the single name '{weights}'; give a list with one type a layer, or use BitConfig.uniform"
            )
        layers = len(tuple(self.weights)) if isinstance(weights, Iterable) else 1
        if layers == 0:
            raise ModelError("weights is empty; give one type a layer")
        hidden = layers - 1
        self._set("weights", _types("weights", self.weights, layers, (*WEIGHT_TYPES, *CODEBOOK_TYPES, FLOAT)))
        self._set("activations", _types("activations", self.activations, hidden, (*ACTIVATION_TYPES, FLOAT)))
        self._set("input", _types("input", self.input, 1, ACTIVATION_TYPES)[0])
        self._set("per_channel", tuple(bool(flag) for flag in _spread("per_channel", self.per_channel, layers)))
        self._set("weight_scale", _names("weight_scale", self.weight_scale, layers, SCALES))
        self._set("activation_scale", _names("activation_scale", self.activation_scale, hidden, SCALES))
        self._set("input_scale", _names("input_scale", self.input_scale, 1, INPUT_SCALES)[0])
        self._set("accumulator", _spread("accumulator", self.accumulator, layers))
        for layer, bits in enumerate(self.accumulator):
            self._check_accumulator(layer, bits)

    def _check_accumulator(self, layer: int, bits: Any) -> None:
        if isinstance(bits, bool) or not isinstance(bits, int) or not (bits == 0 or 2 <= bits <= 32):
            raise ModelError(f"accumulator[{layer}] is {bits!r}; give 2 to 32 bits, or 0 for no bound")
        kind, scale = self.weights[layer], self.weight_scale[layer]
        if bits and not (kind.startswith("INT") or kind == "TERNARY"):
            raise ModelError(f"accumulator[{layer}] is {bits}, but weights[{layer}] is {kind}; use INT2 .. INT8 or TERNARY")
        if bits and scale == "constant":
            raise ModelError(f"accumulator[{layer}] is {bits}, but weight_scale[{layer}] is constant; use float or power_of_two")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen; this only normalises on construction

    @property
    def layers(self) -> int:
        """Number of linear layers L."""
        return len(self.weights)

    @property
    def quantised(self) -> bool:
        """Whether every tensor has a type of its own, as an export needs it."""
        return FLOAT not in (*self.weights, *self.activations)

    def with_layer(self, index: int, weight: str | None = None, activation: str | None = None) -> BitConfig:
        """A copy in which layer ``index`` has another weight type, activation type, or both."""
        weights, activations = list(self.weights), list(self.activations)
        if weight is not None:
            weights[index] = weight
        if activation is not None:
            activations[index] = activation
        return replace(self, weights=tuple(weights), activations=tuple(activations))

    @classmethod
    def uniform(cls, weight: str, activation: str, layers: int, **options: Any) -> BitConfig:
        """The same types in all ``layers``; ``options`` are the other attributes."""
        if layers < 1:
            raise ModelError(f"layers is {layers}; a network has at least 1")
        return cls((weight,) * layers, (activation,) * (layers - 1), **options)

    @classmethod
    def short(cls, name: str, layers: int, **options: Any) -> BitConfig:
        """From a short name: ``w1a1``, ``w2a2``, ``w4a4``, ``ternary``, ``float``, or a type such as ``INT4``.

        ``wNaM`` has N-bit weights (1: BIPOLAR, else INTN) and M-bit activations (1: BIPOLAR, else UINTM).
        ``ternary`` has TERNARY weights and UINT2 activations. ``w1a1`` also takes the input as BIPOLAR
        and constant scales, as FINN's binary networks do; all others take the input as UINT8.
        """
        lower = name.strip().lower()
        if match := _SHORT.fullmatch(lower):
            weight = "BIPOLAR" if match[1] == "1" else f"INT{match[1]}"
            activation = "BIPOLAR" if match[2] == "1" else f"UINT{match[2]}"
        elif lower == "ternary":
            weight, activation = "TERNARY", "UINT2"
        elif lower == "bipolar":
            weight, activation = "BIPOLAR", "BIPOLAR"
        elif lower == "float":
            weight, activation = FLOAT, FLOAT
        elif re.fullmatch(r"int[2-8]", lower):
            weight, activation = lower.upper(), f"U{lower.upper()}"
        else:
            known = "w<1-8>a<1-8>, ternary, bipolar, float, int2 .. int8"
            raise ModelError(f"unknown bit configuration '{name}'; use {known}, or list the types")
        defaults: dict[str, Any] = {}
        if weight == activation == "BIPOLAR":
            defaults = {"input": "BIPOLAR", "weight_scale": "constant"}
        return cls.uniform(weight, activation, layers, **{**defaults, **options})

    @classmethod
    def parse(cls, value: BitConfig | str | Mapping[str, Any], layers: int) -> BitConfig:
        """From a BitConfig, a short name, or a mapping as ``to_dict`` makes (single names are spread over ``layers``)."""
        if isinstance(value, BitConfig):
            config = value
        elif isinstance(value, str):
            config = cls.short(value, layers)
        elif isinstance(value, Mapping):
            config = cls.from_dict(value, layers)
        else:
            raise ModelError(f"bits is {value!r}; give a short name such as w2a2, or a mapping with weights and activations")
        if config.layers != layers:
            raise ModelError(
                f"the bit configuration has {config.layers} layers, the network {layers}; give {layers} weight types"
            )
        return config

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, for JSON and YAML."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], layers: int | None = None) -> BitConfig:
        """The inverse of ``to_dict``; a single weight name needs ``layers``."""
        known = [field.name for field in fields(cls)]
        for key in data:
            if key not in known:
                raise ModelError(f"bits: unknown key '{key}'; legal keys are {', '.join(known)}")
        for key in ("weights", "activations"):
            if key not in data:
                raise ModelError(f"bits: '{key}' is missing; give one type a layer")
        values = dict(data)
        if isinstance(values["weights"], str) and layers is not None:
            values["weights"] = (values["weights"],) * layers
        return cls(**values)

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> BitConfig:
        """The inverse of ``to_json``."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"bits: not JSON ({error})") from error
        return cls.from_dict(_mapping(data, "JSON text"))

    def to_yaml(self) -> str:
        """A YAML mapping."""
        import yaml

        return str(yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None))

    @classmethod
    def from_yaml(cls, source: str | Path, layers: int | None = None) -> BitConfig:
        """From YAML text, or from the file at a Path."""
        import yaml

        try:
            data = yaml.safe_load(source.read_text() if isinstance(source, Path) else source)
        except (OSError, yaml.YAMLError) as error:
            raise ModelError(f"bits: cannot read YAML: {' '.join(str(error).split())}") from error
        return cls.from_dict(_mapping(data, "YAML"), layers)

    def __str__(self) -> str:
        """Compact: ``UINT8 | INT4 UINT4 | TERNARY UINT2 | INT4``."""
        parts = [f"{w} {a}" for w, a in zip(self.weights, self.activations, strict=False)]
        return " | ".join([self.input, *parts, self.weights[-1]])


def type_bits(name: str) -> int:
    """Bits in which one element is stored: BIPOLAR 1, TERNARY 2, INTn, UINTn, POWn and CODEn n, FLOAT 32."""
    return {"BIPOLAR": 1, "TERNARY": 2, FLOAT: 32}.get(name) or int(name.lstrip("UINTPOWCDE"))


def _mapping(data: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ModelError(f"bits: the {what} is not a mapping; give at least weights and activations")
    return data


def _spread(field: str, value: Any, count: int) -> tuple[Any, ...]:
    """``value`` as ``count`` entries; a single entry stands for all."""
    entries = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if len(entries) == 1:
        return entries * count
    if len(entries) != count:
        raise ModelError(f"{field} has {len(entries)} entries; give 1 or {count}")
    return entries


def _names(field: str, value: Any, count: int, legal: Sequence[str]) -> tuple[str, ...]:
    entries = _spread(field, value, count)
    for entry in entries:
        if entry not in legal:
            raise ModelError(f"{field}: unknown value '{entry}'; legal values are {', '.join(legal)}")
    return entries


def _types(field: str, value: Any, count: int, legal: Sequence[str]) -> tuple[str, ...]:
    """Checked, upper-case type names; unlike scales, a list of types must have the exact length."""
    if isinstance(value, str):
        entries: tuple[Any, ...] = (value,) * count
    elif isinstance(value, Iterable):
        entries = tuple(value)
    else:
        raise ModelError(f"{field} is {value!r}; give a list of types out of {', '.join(legal)}")
    names = tuple(entry.upper() if isinstance(entry, str) else entry for entry in entries)
    for layer, name in enumerate(names):
        if name not in legal:
            where = field if field == "input" else f"{field}[{layer}]"
            raise ModelError(f"{where}: unknown type '{name}'; legal types are {', '.join(legal)}")
    if len(names) != count:
        raise ModelError(f"{field} has {len(names)} types; {count + (field == 'activations')} layers need {count}")
    return names
