"""Random graphs over every operator, each with a random legal folding."""

from __future__ import annotations

import numpy as np

from hw_flow.folding import NodeFolding, options
from hw_flow.ir import (
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
    Lookup,
    Multiply,
    Pool,
    Reorder,
    Requantise,
    Slice,
    SlidingWindow,
    smallest_datatype,
)
from tests.hw_flow.rtl.bench import random_thresholds
from tests.hw_flow.rtl.networks import Net

TYPES = ("BIPOLAR", "TERNARY", "UINT2", "INT3", "UINT4", "INT4")


class RandomNet(Net):
    """Grows by random operators on its feature maps; in the end all that nobody reads is pooled and joined."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = int(rng.integers(3, 7)), int(rng.integers(3, 7)), int(rng.choice([2, 4, 6]))
        super().__init__(shape, str(rng.choice(TYPES)), seed)
        steps = [self._conv, self._conv, self._separable, self._element, self._element, self._cut, self._order, self._join,
                 self._join]
        for _ in range(int(rng.integers(4, 8))):
            steps[int(self.rng.integers(len(steps)))]()
        ends = [self._small(self.put(GlobalPool, [name], self._pooled(name), kind="sum")) for name in self._unread()]
        out = ends[0] if len(ends) == 1 else self.put(Concat, ends, "INT4")
        if self.rng.random() < 0.3:
            channels = self.tensors[out].channels
            out = self.put(LabelSelect, [out], smallest_datatype(0, max(1, channels - 1)))
        self.out = out

    def folded(self, *, parallel: bool = True) -> tuple[Graph, dict[str, NodeFolding]]:
        """The graph and a folding; no parallel windows without ``parallel``."""
        graph, chosen = self.graph(self.out), {}
        for node in graph:
            legal = [own for own in options(node, graph) if parallel or not own.parallel_window]
            own = legal[int(self.rng.integers(len(legal)))]
            producer = graph.producer(node.inputs[0])
            if isinstance(node, VVAU | Pool) and producer is not None:
                theirs = chosen[producer.name]
                own = NodeFolding(theirs.simd, node.taps if theirs.parallel_window else 1)
            chosen[node.name] = own
        return graph, chosen

    def _pick(self) -> str:
        """A feature map, rather a late one."""
        names = self._maps()
        return names[max(int(self.rng.integers(len(names))) for _ in range(2))]

    def _maps(self) -> list[str]:
        windows = {node.outputs[0] for node in self.nodes if isinstance(node, SlidingWindow)}
        return [name for name, tensor in self.tensors.items() if tensor.width <= 4 and name not in windows]

    def _unread(self) -> list[str]:
        return [name for name in self.tensors if not any(name in node.inputs for node in self.nodes)]

    def _type(self) -> str:
        return str(self.rng.choice(TYPES))

    def _slide(self, source: str, *, depthwise: bool) -> str:
        high, wide, _ = self.tensors[source].shape
        kernel = int(self.rng.integers(1, min(3, high, wide) + 1))
        pad = 0 if self.tensors[source].dtype == "BIPOLAR" else int(self.rng.integers(0, kernel))
        return self.window(source, 1, kernel, pad=pad, stride=int(self.rng.integers(1, 3)), depthwise=depthwise)

    def _conv(self) -> None:
        self.matrix(self._slide(self._pick(), depthwise=False), int(self.rng.choice([2, 4, 6])), self._type(), 1, 1)

    def _separable(self) -> None:
        source = self._pick()
        channels, dtype = self.tensors[source].channels, self.tensors[source].dtype
        window = self._slide(source, depthwise=True)
        if self.rng.random() < 0.5:
            self.depthwise(window, channels, self._type(), 1)
        else:
            self.put(Pool, [window], dtype, kind="max", taps=self.tensors[window].channels // channels)

    def _element(self) -> None:
        source = self._pick()
        tensor = self.tensors[source]
        choice = int(self.rng.integers(3))
        if choice == 0:
            self.quantise(source, self._type(), 1)
        elif choice == 1:
            low, high = tensor.limits
            rows = int(self.rng.choice([1, tensor.channels]))
            self.put(Lookup, [source], "INT4", table=self.rng.integers(-8, 8, (rows, high - low + 1)), low=low)
        else:
            self._small(source)

    def _small(self, source: str) -> str:
        channels = self.tensors[source].channels
        return self.put(Requantise, [source], "INT4", multiplier=self.rng.integers(-40, 40, channels),
                        addend=self.rng.integers(-99, 99, 1), shift=int(self.rng.integers(0, 9)), low=-8, high=7)

    def _cut(self) -> None:
        source = self._pick()
        channels = self.tensors[source].channels
        begin = int(self.rng.integers(channels))
        self.put(Slice, [source], self.tensors[source].dtype, begin=begin, end=int(self.rng.integers(begin, channels)) + 1)

    def _order(self) -> None:
        source = self._pick()
        tensor = self.tensors[source]
        high, wide, channels = tensor.shape
        row = wide * channels
        turned = {"out_shape": (wide, high, channels), "counts": (wide, high, channels), "strides": (channels, row, 1)}
        doubled = {"out_shape": (high, 2 * wide, channels), "counts": (high, wide, 2, channels),
                   "strides": (row, channels, 0, 1)}
        last = {"out_shape": (1, wide, channels), "counts": (row,), "strides": (1,), "offset": (high - 1) * row}
        shuffled = {"out_shape": tensor.shape, "counts": (high * wide, 2, channels // 2 or 1), "strides": (channels, 1, 2)}
        ways = [turned, doubled, last] + ([shuffled] if channels % 2 == 0 else [])
        self.put(Reorder, [source], tensor.dtype, **ways[int(self.rng.integers(len(ways)))])  # type: ignore[arg-type]

    def _join(self) -> None:
        first = self._pick()
        shape = self.tensors[first].shape
        like = [name for name in self._maps() if self.tensors[name].shape[:2] == shape[:2]]
        second = like[int(self.rng.integers(len(like)))]
        if self.tensors[second].shape != shape:
            low, high = (f(self.tensors[first].limits + self.tensors[second].limits) for f in (min, max))
            self.put(Concat, [first, second], smallest_datatype(low, high))
        elif self.rng.random() < 0.5:
            dtype = self._type()
            self.put(Add, [first, second], dtype, coefficients=tuple(int(self.rng.choice([-3, -1, 1, 2, 7])) for _ in range(2)),
                     thresholds=random_thresholds(self.rng, shape[2], 30, dtype, True))
        else:
            dtype = self._type()
            self.put(Multiply, [first, second], dtype, thresholds=random_thresholds(self.rng, 1, 30, dtype, True))

    def _pooled(self, name: str) -> str:
        tensor = self.tensors[name]
        positions = tensor.elements // tensor.channels
        return smallest_datatype(*(limit * positions for limit in tensor.limits))
