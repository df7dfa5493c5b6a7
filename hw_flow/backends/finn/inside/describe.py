"""FINN's hardware graph as plain values, so that nobody outside needs FINN to read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hw_flow.storage import write_json

_SKIPPED = ("code_gen_dir_ipgen", "code_gen_dir_cppsim", "ipgen_path", "ip_path", "executable_path", "rtlsim_so")


def describe(model: Any, folder: Path) -> None:
    """Write ``hardware.json`` and ``hardware.npz`` of ``model`` into ``folder``."""
    arrays: dict[str, np.ndarray] = {}
    nodes = [_node(model, node, arrays) for node in model.graph.node]
    names = {name for node in nodes for name in (*node["inputs"], *node["outputs"])}
    tensors = {name: {"shape": list(model.get_tensor_shape(name) or ()), "dtype": model.get_tensor_datatype(name).name}
               for name in sorted(names)}
    write_json(folder / "hardware.json", {
        "format": 1, "inputs": [value.name for value in model.graph.input if model.get_initializer(value.name) is None],
        "outputs": [value.name for value in model.graph.output], "nodes": nodes, "tensors": tensors,
    })
    np.savez_compressed(folder / "hardware.npz", allow_pickle=False, **arrays)


def _node(model: Any, node: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    from qonnx.custom_op.registry import getCustomOp

    own = getCustomOp(node)
    attributes = {}
    for key in own.get_nodeattr_types():
        if key in _SKIPPED:
            continue
        try:
            value = own.get_nodeattr(key)
        except Exception:  # noqa: BLE001, S112 - an attribute without default that is not set
            continue
        attributes[key] = _plain(value)
    for name in node.input:
        value = model.get_initializer(name)
        if value is not None:
            arrays[name] = np.asarray(value)
    return {
        "name": node.name, "op_type": node.op_type, "inputs": list(node.input), "outputs": list(node.output),
        "attributes": attributes, "cycles": int(own.get_exp_cycles()),
        "constants": [name for name in node.input if name in arrays],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else str(value)
