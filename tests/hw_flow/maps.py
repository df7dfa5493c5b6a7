"""Small graphs on feature maps for tests: one node, chains of convolutions, residual blocks, random DAGs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw_flow.ir import (
    MVAU,
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
    Node,
    Pool,
    SlidingWindow,
    Tensor,
    Thresholding,
    Thresholds,
    smallest_datatype,
)


@dataclass
class Builder:
    """Appends nodes and names them after their class; each method returns the name of the tensor it writes."""

    rng: np.random.Generator
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def input(self, shape: tuple[int, ...], dtype: str = "UINT2") -> str:
        """The graph's input ``x``."""
        self.tensors["x"] = Tensor("x", shape, dtype)
        return "x"

    def add(self, kind: type[Node], inputs: tuple[str, ...], dtype: str, /, **values: Any) -> str:
        """A node of class ``kind`` that writes elements of type ``dtype``."""
        name = f"{kind.__name__}_{sum(type(node) is kind for node in self.nodes)}"
        tensor = f"t{len(self.nodes)}"
        node = kind(name=name, inputs=inputs, outputs=(tensor,), **values)
        self.tensors[tensor] = Tensor(tensor, node.shape(*(self.tensors[source].shape for source in inputs)), dtype)
        self.nodes.append(node)
        return tensor

    def window(self, source: str, kernel: tuple[int, int], *, depthwise: bool = False, **values: Any) -> str:
        """A SlidingWindow."""
        return self.add(SlidingWindow, (source,), self.tensors[source].dtype, kernel=kernel, depthwise=depthwise, **values)

    def matrix(self, source: str, mh: int, *, mw: int | None = None, dtype: str | None = "UINT2", weights: str = "INT2") -> str:
        """An MVAU with random weights over ``mw`` elements (default: the channels), with thresholds unless ``dtype`` is None."""
        return self._sums(MVAU, source, (mh, mw or self.tensors[source].channels), weights, dtype)

    def depthwise(self, source: str, taps: int, *, dtype: str | None = "UINT2", weights: str = "INT2") -> str:
        """A VVAU with random weights."""
        return self._sums(VVAU, source, (self.tensors[source].channels // taps, taps), weights, dtype)

    def pool(self, source: str, taps: int) -> str:
        """A maximum over ``taps``."""
        return self.add(Pool, (source,), self.tensors[source].dtype, kind="max", taps=taps)

    def global_pool(self, source: str) -> str:
        """A maximum over all positions."""
        return self.add(GlobalPool, (source,), self.tensors[source].dtype, kind="max")

    def plus(self, *sources: str) -> str:
        """A plain sum of ``sources``."""
        limits = [self.tensors[source].limits for source in sources]
        dtype = smallest_datatype(sum(low for low, _ in limits), sum(high for _, high in limits))
        return self.add(Add, sources, dtype, coefficients=(1,) * len(sources))

    def concat(self, *sources: str) -> str:
        """Channels side by side."""
        return self.add(Concat, sources, self.tensors[sources[0]].dtype)

    def threshold(self, source: str, dtype: str = "UINT2") -> str:
        """A Thresholding with random thresholds."""
        low, high = self.tensors[source].limits
        return self.add(Thresholding, (source,), dtype, thresholds=self._thresholds(low, high, 1, dtype))

    def label(self, source: str) -> str:
        """The index of the largest element."""
        return self.add(LabelSelect, (source,), smallest_datatype(0, max(1, self.tensors[source].channels - 1)))

    def graph(self, *outputs: str, name: str = "map") -> Graph:
        """The finished graph."""
        return Graph(name, tuple(self.nodes), self.tensors, ("x",), outputs)

    def _sums(self, kind: type[Node], source: str, size: tuple[int, int], weights: str, dtype: str | None) -> str:
        if weights.startswith("POW"):  # powers of two, on the grid of all of them
            top = (1 << int(weights[-1]) - 1) - 2
            matrix = self.rng.choice([0, *(sign << place for sign in (-1, 1) for place in range(top + 1))], size)
            matrix.flat[0], weights = 1 << top, f"INT{top + 2}"
        else:
            matrix = self.rng.integers(*Tensor("", (1,), weights).limits, size, endpoint=True)
        if weights == "BIPOLAR":
            matrix[matrix == 0] = 1
        reach = max(1, int(np.abs(matrix).sum(axis=1).max())) * max(map(abs, self.tensors[source].limits))
        acc = smallest_datatype(-reach, reach)
        thresholds = None if dtype is None else self._thresholds(-reach // 2, reach // 2, len(matrix), dtype)
        return self.add(kind, (source,), dtype or acc, weights=matrix.astype(np.int64), weight_dtype=weights, acc_dtype=acc,
                        thresholds=thresholds)

    def _thresholds(self, low: int, high: int, rows: int, dtype: str) -> Thresholds:
        tensor = Tensor("", (1,), dtype)
        count = 1 if dtype == "BIPOLAR" else tensor.limits[1] - tensor.limits[0]
        values = np.sort(self.rng.integers(low, high, (rows, count), endpoint=True), axis=1)
        return Thresholds(values, np.zeros(rows, dtype=bool), tensor.limits[0], 2 if dtype == "BIPOLAR" else 1)


def convolutions(size: int, channels: tuple[int, ...], *, kernel: int = 3, pool: bool = False, label: int = 0,
                 seed: int = 0) -> Graph:
    """Padded convolutions ``channels[0] -> channels[1] -> ...``, a pool of 2 x 2 behind each, and a dense layer to ``label``."""
    builder = Builder(np.random.default_rng(seed))
    last = builder.input((size, size, channels[0]))
    for width in channels[1:]:
        last = builder.matrix(builder.window(last, (kernel, kernel), pads=(kernel // 2,) * 4), width)
        if pool:
            last = builder.pool(builder.window(last, (2, 2), depthwise=True, stride=(2, 2)), 4)
    if label:
        shape = builder.tensors[last].shape
        last = builder.label(builder.matrix(last, label, mw=shape[0] * shape[1] * shape[2], dtype=None))
    return builder.graph(last)


def residual(size: int, channels: int, *, blocks: int = 1, seed: int = 0) -> Graph:
    """Blocks of two 3 x 3 convolutions beside a short cut, joined by an Add and a Thresholding."""
    builder = Builder(np.random.default_rng(seed))
    last = builder.input((size, size, channels))
    for _ in range(blocks):
        inner = builder.matrix(builder.window(last, (3, 3), pads=(1, 1, 1, 1)), channels)
        inner = builder.matrix(builder.window(inner, (3, 3), pads=(1, 1, 1, 1)), channels)
        last = builder.threshold(builder.plus(inner, last))
    return builder.graph(last)


def cnv(weights: str = "BIPOLAR", activations: str = "BIPOLAR") -> Graph:
    """The shape of FINN's CNV: 32 x 32 x 3 pixels, six convolutions, two pools, three dense layers, argmax."""
    builder = Builder(np.random.default_rng(0))
    last = builder.threshold(builder.input((32, 32, 3), "UINT8"), activations)
    for index, width in enumerate((64, 64, 128, 128, 256, 256)):
        last = builder.matrix(builder.window(last, (3, 3)), width, dtype=activations, weights=weights)
        if index in (1, 3):
            last = builder.pool(builder.window(last, (2, 2), depthwise=True, stride=(2, 2)), 4)
    for width in (512, 512):
        last = builder.matrix(last, width, dtype=activations, weights=weights)
    last = builder.label(builder.matrix(last, 10, dtype=None, weights=weights))
    return builder.graph(last, name="cnv")
