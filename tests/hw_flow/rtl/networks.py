"""Graphs with branches, made node by node."""

from __future__ import annotations

import numpy as np

from hw_flow.folding import NodeFolding
from hw_flow.ir import (
    MVAU,
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
    Lookup,
    Multiply,
    Node,
    Pool,
    Reorder,
    Requantise,
    Slice,
    SlidingWindow,
    Tensor,
    Thresholding,
)
from tests.hw_flow.rtl.bench import random_matrix, random_thresholds


class Net:
    """A graph made node by node; every method returns the name of the tensor that it adds."""

    def __init__(self, shape: tuple[int, ...], dtype: str, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors = {"x": Tensor("x", shape, dtype)}
        self.nodes: list[Node] = []
        self.folding: dict[str, NodeFolding] = {}

    def put(self, operator: type[Node], inputs: list[str], dtype: str, pe: int = 1, simd: int = 1, *, parallel: bool = False,
            **more: object) -> str:
        count = sum(isinstance(node, operator) for node in self.nodes)
        name, out = f"{operator.__name__}_{count}", f"t{len(self.nodes)}"
        node = operator(name=name, inputs=tuple(inputs), outputs=(out,), **more)  # type: ignore[arg-type]
        self.nodes.append(node)
        self.tensors[out] = Tensor(out, node.shape(*(self.tensors[tensor].shape for tensor in inputs)), dtype)
        self.folding[name] = NodeFolding(pe, simd, parallel_window=parallel)
        return out

    def matrix(self, source: str, rows: int, dtype: str, pe: int, simd: int, weights: str = "INT3", *,
               columns: int | None = None) -> str:
        tensor = self.tensors[source]
        matrix = random_matrix(self.rng, weights, rows, columns or tensor.channels)
        reach = int(np.abs(matrix).sum(axis=1).max()) * max(map(abs, tensor.limits))
        return self.put(MVAU, [source], dtype, pe, simd, weights=matrix, weight_dtype=weights,
                        acc_dtype=f"INT{reach.bit_length() + 1}",
                        thresholds=random_thresholds(self.rng, rows, reach // 3 + 2, dtype, True))

    def window(self, source: str, simd: int, kernel: int, *, pad: int = 0, stride: int = 1, depthwise: bool = False,
               parallel: bool = False) -> str:
        return self.put(SlidingWindow, [source], self.tensors[source].dtype, 1, simd, parallel=parallel, kernel=(kernel, kernel),
                        stride=(stride, stride), pads=(pad,) * 4, depthwise=depthwise)

    def depthwise(self, source: str, channels: int, dtype: str, pe: int, simd: int = 1) -> str:
        tensor = self.tensors[source]
        weights = random_matrix(self.rng, "INT4", channels, tensor.channels // channels)
        reach = int(np.abs(weights).sum(axis=1).max()) * max(map(abs, tensor.limits))
        return self.put(VVAU, [source], dtype, pe, simd, weights=weights, weight_dtype="INT4",
                        acc_dtype=f"INT{reach.bit_length() + 1}",
                        thresholds=random_thresholds(self.rng, channels, reach // 3 + 2, dtype, True))

    def quantise(self, source: str, dtype: str, pe: int) -> str:
        reach = max(map(abs, self.tensors[source].limits))
        return self.put(Thresholding, [source], dtype, pe,
                        thresholds=random_thresholds(self.rng, self.tensors[source].channels, reach, dtype, True))

    def graph(self, out: str) -> Graph:
        return Graph("net", tuple(self.nodes), self.tensors, ("x",), (out,))


def residual(seed: int = 1) -> tuple[Graph, dict[str, NodeFolding]]:
    """Two blocks with a skip past two matrices each, the second with a matrix on the skip, and a label."""
    net = Net((3, 2, 8), "UINT4", seed)
    top = net.quantise("x", "UINT2", 4)
    a = net.matrix(top, 12, "UINT3", 4, 2)
    b = net.matrix(a, 8, "INT4", 2, 6)
    total = net.put(Add, [top, b], "UINT2", 2, coefficients=(3, 1), thresholds=random_thresholds(net.rng, 8, 12, "UINT2", False))
    c = net.matrix(total, 6, "INT5", 3, 4)
    skip = net.matrix(total, 6, "INT3", 1, 8, "TERNARY")
    last = net.put(Add, [c, skip], "INT8", 6, coefficients=(-2, 5))
    return net.graph(net.put(LabelSelect, [last], "UINT3", 2)), net.folding


def branches(seed: int = 2) -> tuple[Graph, dict[str, NodeFolding]]:
    """A split, two paths that differ in length, a gate, a transpose and a concatenation with the input itself."""
    net = Net((4, 3, 12), "INT4", seed)
    low = net.put(Slice, ["x"], "INT4", 2, begin=0, end=4)
    high = net.put(Slice, ["x"], "INT4", 4, begin=4, end=12)
    tensor = net.put(Lookup, [low], "UINT3", 4, table=net.rng.integers(0, 8, (4, 16)), low=-8)
    wide = net.matrix(high, 4, "INT4", 2, 8)
    gated = net.put(Multiply, [tensor, wide], "INT8", 1)
    scaled = net.put(Requantise, [gated], "INT4", 2, multiplier=net.rng.integers(20, 90, 4), addend=np.array([60]), shift=7,
                     low=-8, high=7)
    square = net.put(Multiply, [scaled, scaled], "UINT7", 4)
    small = net.put(Requantise, [square], "INT4", 4, multiplier=np.array([3]), addend=np.array([0]), shift=5, low=0, high=7)
    turned = net.put(Reorder, [small], "INT4", 2, out_shape=(4, 3, 4), counts=(12, 2, 2), strides=(4, 0, 1))
    return net.graph(net.put(Concat, ["x", turned, scaled], "INT4", 4)), net.folding


def convolutional(seed: int = 5) -> tuple[Graph, dict[str, NodeFolding]]:
    """A convolution, a separable block with a skip past it, two kinds of pools, and a dense layer on the flattened map."""
    net = Net((6, 5, 3), "UINT4", seed)
    first = net.matrix(net.window("x", 3, 3, pad=1), 8, "UINT3", 4, 9)
    narrow = net.depthwise(net.window(first, 2, 3, pad=1, depthwise=True), 8, "INT3", 2)
    mixed = net.matrix(narrow, 8, "INT4", 2, 8)
    total = net.put(Add, [first, mixed], "UINT3", 2, coefficients=(1, 2),
                    thresholds=random_thresholds(net.rng, 8, 14, "UINT3", True))
    pooled = net.put(Pool, [net.window(total, 4, 2, stride=2, depthwise=True, parallel=True)], "UINT3", 4, 4, kind="max", taps=4)
    wide = net.matrix(net.window(pooled, 8, 2, parallel=True), 6, "UINT2", 3, 32)
    dense = net.matrix(wide, 8, "INT4", 4, 4, columns=12)
    mean = net.put(GlobalPool, [pooled], "UINT6", 2, kind="sum")
    flat = net.put(Reorder, [mean], "UINT6", 4, out_shape=(8,), counts=(8,), strides=(1,))
    scores = net.matrix(net.put(Concat, [dense, flat], "INT7", 8), 5, "INT6", 5, 4)
    return net.graph(net.put(LabelSelect, [scores], "UINT3", 1)), net.folding


def deep(graph: Graph, depth: int = 64) -> dict[str, int]:
    """The same FIFO in front of every reader of a tensor that several read."""
    found = {}
    for name in graph.tensors:
        readers = [node.name for node in graph.consumers(name)]
        if len(readers) > 1:
            found |= {f"{name}@{reader}": depth for reader in readers}
    return found
