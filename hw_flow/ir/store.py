"""Graphs on disk: ``graph.json`` for people, ``graph.npz`` for the arrays; no pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.graph import Graph
from hw_flow.ir.joins import Add, Concat, Multiply, Reorder, Slice
from hw_flow.ir.nodes import MVAU, LabelSelect, Node, Thresholding
from hw_flow.ir.spatial import VVAU, GlobalPool, Pool, SlidingWindow
from hw_flow.ir.tables import Lookup, Requantise
from hw_flow.ir.tensor import Tensor
from hw_flow.ir.thresholds import Thresholds
from hw_flow.storage import write_bytes, write_json

FORMAT = 2
_KINDS: Mapping[str, type[Node]] = {
    kind.__name__: kind
    for kind in (MVAU, VVAU, Thresholding, LabelSelect, SlidingWindow, Pool, GlobalPool, Add, Multiply, Concat, Slice, Reorder,
                 Lookup, Requantise)
}


def save_graph(graph: Graph, directory: Path) -> None:
    """Write ``graph.json`` and ``graph.npz`` into ``directory`` (created if needed), each atomically."""
    arrays: dict[str, np.ndarray] = {}
    document = {
        "format": FORMAT, "name": graph.name, "inputs": list(graph.inputs), "outputs": list(graph.outputs),
        "tensors": [_tensor_out(tensor, arrays) for tensor in graph.tensors.values()],
        "nodes": [_node_out(node, arrays) for node in graph],
    }
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    write_bytes(directory / "graph.npz", packed.getvalue())
    write_json(directory / "graph.json", document)


def load_graph(directory: Path) -> Graph:
    """Read what `save_graph` wrote; FlowError if it is missing or damaged."""
    try:
        document = json.loads((directory / "graph.json").read_text())
        if document["format"] != FORMAT:
            raise FlowError(f"{directory}/graph.json: format {document['format']} is not {FORMAT}; build again")
        with np.load(directory / "graph.npz", allow_pickle=False) as arrays:
            tensors = {item["name"]: _tensor_in(item, arrays) for item in document["tensors"]}
            nodes = tuple(_node_in(item, arrays) for item in document["nodes"])
        return Graph(document["name"], nodes, tensors, tuple(document["inputs"]), tuple(document["outputs"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, BadZipFile) as error:
        raise FlowError(f"{directory}: no readable graph ({type(error).__name__}: {error}); build again") from error


def _number(array: np.ndarray, key: str, arrays: dict[str, np.ndarray]) -> float | str:
    """A scalar in the JSON itself (repr of a float64 is exact), anything larger by the name of its array."""
    if array.ndim == 0:
        return float(array)
    arrays[key] = array
    return key


def _tensor_out(tensor: Tensor, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        "name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype,
        "scale": _number(tensor.scale, f"{tensor.name}.scale", arrays),
        "offset": _number(tensor.offset, f"{tensor.name}.offset", arrays),
    }


def _tensor_in(item: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Tensor:
    numbers = (item["scale"], item["offset"])
    scale, offset = (arrays[value] if isinstance(value, str) else np.asarray(float(value)) for value in numbers)
    return Tensor(item["name"], tuple(int(size) for size in item["shape"]), item["dtype"], scale, offset)


def _node_out(node: Node, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    item: dict[str, Any] = {"op": type(node).__name__}
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{node.name}.{field.name}"] = value
            item[field.name] = {"array": list(value.shape)}
        elif isinstance(value, Thresholds):
            arrays[f"{node.name}.{field.name}"] = value.values
            arrays[f"{node.name}.descending"] = value.descending
            item[field.name] = {"rows": len(value.values), "levels": value.levels, "base": value.base, "step": value.step}
        else:
            item[field.name] = list(value) if isinstance(value, tuple) else value
    return item


def _node_in(item: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Node:
    kind = _KINDS.get(item["op"])
    if kind is None:
        raise ValueError(f"unknown operator '{item['op']}'")
    return kind(**{field.name: _field_in(item, field.name, arrays) for field in fields(kind)})


def _field_in(item: Mapping[str, Any], key: str, arrays: Mapping[str, np.ndarray]) -> Any:
    value = item[key]
    if isinstance(value, Mapping):
        array = arrays[f"{item['name']}.{key}"]
        if "array" in value:
            return array
        return Thresholds(array, arrays[f"{item['name']}.descending"], int(value["base"]), int(value["step"]))
    return tuple(value) if isinstance(value, list) else value
