"""FINN's Python execution of its own hardware graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def execute(file: Path) -> None:
    """Run the frames beside the request, one by one, and write the tensors that it wants to ``outputs.npz``."""
    from finn.core.onnx_exec import execute_onnx
    from qonnx.core.modelwrapper import ModelWrapper

    request = json.loads(file.read_text(encoding="utf-8"))
    model = ModelWrapper(request["model"])
    for node in model.graph.node:  # the variants run in Vivado's simulators only, the operator itself in Python
        node.op_type, node.domain = node.op_type.removesuffix("_hls").removesuffix("_rtl"), "finn.custom_op.fpgadataflow"
    source = model.graph.input[0].name
    kept: dict[str, list[np.ndarray]] = {name: [] for name in request["tensors"]}
    with np.load(file.parent / "inputs.npz", allow_pickle=False) as stored:
        frames = stored["frames"]
    for frame in frames:
        context = execute_onnx(model, {source: frame[None]}, return_full_exec_context=True)
        for name, values in kept.items():
            values.append(context[name])
    arrays = {name: np.stack(values) for name, values in kept.items() if values}
    temporary = file.parent / "outputs.part.npz"
    np.savez_compressed(temporary, allow_pickle=False, **arrays)
    temporary.replace(file.parent / "outputs.npz")
