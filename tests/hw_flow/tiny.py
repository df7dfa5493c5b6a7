"""A QONNX file small enough to build, simulate and synthesise in a test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx

from tests.hw_flow.qonnx_random import Builder


def tiny(path: Path, *, features: int = 8, hidden: int = 6, classes: int = 4, seed: int = 0) -> Path:
    """Write a two-layer network with 2-bit weights and activations and a float input; returns ``path``."""
    rng = np.random.default_rng(seed)
    b = Builder(rng)
    b.head = b.quant(b.head, 0.25, 4, signed=False)
    b.then("MatMul", b.quant(b.constant(rng.normal(size=(features, hidden))), 0.5, 2, narrow=True))
    b.then("Relu")
    b.head = b.quant(b.head, 0.5, 2, signed=False)
    b.then("MatMul", b.quant(b.constant(rng.normal(size=(hidden, classes))), 0.5, 2, narrow=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(b.model(features, [classes]), str(path))
    return path


def tiny_folding(path: Path) -> Path:
    """Write the folding at which both layers of `tiny` take 12 cycles a frame; returns ``path``."""
    path.write_text(json.dumps({"Defaults": {}, "MVAU_0": {"PE": 1, "SIMD": 4}, "MVAU_1": {"PE": 1, "SIMD": 2}}))
    return path
