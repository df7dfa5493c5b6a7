"""Graphs on disk: ``graph.json`` for people, ``graph.npz`` for the arrays; no pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.graph import Graph
from hw_flow.ir.nodes import MVAU, LabelSelect, Node, Thresholding, Thresholds
from hw_flow.ir.tensor import Tensor
from hw_flow.storage import write_bytes, write_json

FORMAT = 1


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
    item: dict[str, Any] = {
        "op": type(node).__name__, "name": node.name, "inputs": list(node.inputs), "outputs": list(node.outputs),
        "source": list(node.source),
    }
    thresholds = None
    if isinstance(node, MVAU):
        arrays[f"{node.name}.weights"] = node.weights
        item |= {"mw": node.mw, "mh": node.mh, "weight_dtype": node.weight_dtype, "acc_dtype": node.acc_dtype}
        thresholds = node.thresholds
    elif isinstance(node, Thresholding):
        thresholds = node.thresholds
    if thresholds is not None:
        arrays[f"{node.name}.thresholds"] = thresholds.values
        arrays[f"{node.name}.descending"] = thresholds.descending
        item["thresholds"] = {"rows": len(thresholds.values), "levels": thresholds.levels, "base": thresholds.base,
                              "step": thresholds.step}
    return item


def _node_in(item: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Node:
    name = item["name"]
    common = {"name": name, "inputs": tuple(item["inputs"]), "outputs": tuple(item["outputs"]), "source": tuple(item["source"])}
    thresholds = None
    if "thresholds" in item:
        values, descending = arrays[f"{name}.thresholds"], arrays[f"{name}.descending"]
        thresholds = Thresholds(values, descending, int(item["thresholds"]["base"]), int(item["thresholds"]["step"]))
    match item["op"]:
        case "MVAU":
            return MVAU(**common, weights=arrays[f"{name}.weights"], weight_dtype=item["weight_dtype"],
                        acc_dtype=item["acc_dtype"], thresholds=thresholds)
        case "Thresholding" if thresholds is not None:
            return Thresholding(**common, thresholds=thresholds)
        case "LabelSelect":
            return LabelSelect(**common)
    raise ValueError(f"unknown operator '{item['op']}'")
