"""The network zoo: Brevitas networks whose every tensor's type is named by a BitConfig.

``import models`` is light; torch and brevitas are loaded with the first network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.bits import ACTIVATION_TYPES, CODEBOOK_TYPES, SCALES, WEIGHT_TYPES, BitConfig
from models.errors import ModelError

if TYPE_CHECKING:
    from models.checkpoint import load, load_weights, save
    from models.convnet import ConvNet, ConvSpec
    from models.mlp import MLP, MLPSpec
    from models.presets import PRESETS, Network, Spec, build, spec_of

__all__ = [
    "ACTIVATION_TYPES", "CODEBOOK_TYPES", "MLP", "PRESETS", "SCALES", "WEIGHT_TYPES",
    "BitConfig", "ConvNet", "ConvSpec", "MLPSpec", "ModelError",
    "Network", "Spec",
    "build", "load", "load_weights", "save", "spec_of",
]

_LAZY = {
    "load": "checkpoint", "load_weights": "checkpoint", "save": "checkpoint", "MLP": "mlp", "MLPSpec": "mlp",
    "ConvNet": "convnet", "ConvSpec": "convnet", "Network": "presets", "Spec": "presets",
    "PRESETS": "presets", "build": "presets", "spec_of": "presets",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'models' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"models.{_LAZY[name]}"), name)
