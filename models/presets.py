"""Named networks. Each line says where the shape was published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.bits import BitConfig
from models.convnet import ConvNet, ConvSpec
from models.errors import ModelError
from models.mlp import MLP, MLPSpec
from models.resize import reclassed, widened
from models.zoo import CONVOLUTIONAL

Spec = MLPSpec | ConvSpec
Network = MLP | ConvNet

_FINN = "FINN (Umuroglu et al., FPGA 2017) and the bnn_pynq examples of Brevitas"

PRESETS: dict[str, tuple[Spec, str]] = {
    "tfc": (MLPSpec(784, (64, 64, 64), 10), f"TFC, MNIST: {_FINN}"),
    "sfc": (MLPSpec(784, (256, 256, 256), 10), f"SFC, MNIST: {_FINN}"),
    "lfc": (MLPSpec(784, (1024, 1024, 1024), 10), f"LFC, MNIST: {_FINN}"),
    "jet": (MLPSpec(16, (64, 32, 32), 5), "jet tagging: Duarte et al., JINST 13 P07027 (2018), the three-layer hls4ml network"),
    "kws": (MLPSpec(490, (256, 256, 256), 12), "keyword spotting, 49 frames x 10 MFCC: the FINN W3A3 entry of MLPerf Tiny v0.7"),
    "nid": (MLPSpec(593, (64, 64, 64), 1), "UNSW-NB15 network intrusion, 593 bits: the FINN cyber-security example"),
    "digits": (MLPSpec(64, (32, 32), 10), "8x8 digits of scikit-learn; our smallest real network"),
    "anomaly": (MLPSpec(640, (128, 128, 128, 128, 8, 128, 128, 128, 128), 640),
                "dense autoencoder, ToyADMOS machine sounds: MLPerf Tiny anomaly detection (AD08)"),
    **CONVOLUTIONAL,
}


def spec_of(value: str | Mapping[str, Any] | Spec) -> Spec:
    """The shape behind a preset name or a mapping.

    A mapping with ``preset`` overrides that preset's keys; ``classes`` does so for any network, and ``width`` multiplies
    its hidden channels: ``{"preset": "resnet18", "width": 0.25, "classes": 100}``.
    """
    if isinstance(value, Spec):
        return value
    if isinstance(value, str):
        return _preset(value)
    if isinstance(value, Mapping):
        data = dict(value)
        if "preset" in data:
            spec = _preset(data.pop("preset"))
            if "width" in data:
                spec = widened(spec, data.pop("width"))
            if "classes" in data and "units" not in data:
                spec = reclassed(spec, data.pop("classes"))
            data = {**spec.to_dict(), **data}
        return (ConvSpec if "units" in data or "input_shape" in data else MLPSpec).from_dict(data)
    raise ModelError(f"model is {value!r}; give the name of a preset ({', '.join(PRESETS)}), inputs, hidden and classes, or "
                     "input_shape and units")


def _preset(name: Any) -> Spec:
    key = name.lower() if isinstance(name, str) else name
    if key not in PRESETS:
        raise ModelError(f"unknown network '{name}'; presets are {', '.join(PRESETS)}, or give inputs, hidden and classes")
    return PRESETS[key][0]


def build(spec: str | Mapping[str, Any] | Spec, bits: BitConfig | str | Mapping[str, Any], *, seed: int | None = None) -> Network:
    """Build a network, ``build("tfc", "w1a1")``.

    Parameters
    ----------
    spec : preset name, MLPSpec, ConvSpec, or a mapping of their fields (with ``preset`` for the rest).
    bits : BitConfig, short name (see ``BitConfig.short``) or mapping.
    seed : of the initial weights; None takes torch's global generator as it is.

    Raises
    ------
    ModelError : unknown preset, type or key, or a wrong number of layers.
    """
    shape = spec_of(spec)
    config = BitConfig.parse(bits, shape.layers)
    if seed is None:
        return _network(shape, config)
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _network(shape, config)


def _network(shape: Spec, config: BitConfig) -> Network:
    if isinstance(shape, ConvSpec):
        return ConvNet(shape, config)
    return MLP(
        shape.inputs,
        shape.hidden,
        shape.classes,
        config,
        bias=shape.bias,
        batch_norm=shape.batch_norm,
        dropout=shape.dropout,
        output_norm=shape.output_norm,
    )
