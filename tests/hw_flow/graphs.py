"""Small integer graphs for tests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hw_flow.ir import MVAU, Graph, LabelSelect, Node, Tensor, Thresholding, Thresholds, smallest_datatype


def mlp(dims: list[int], *, weights: str = "BIPOLAR", activations: str = "BIPOLAR", inputs: str | None = None,
        label: bool = True, seed: int = 0) -> Graph:
    """A chain of matrices ``dims[0] x dims[1] x ...`` with random weights; thresholds behind all but the last.

    ``inputs`` other than None puts a Thresholding of that input type in front.
    """
    rng = np.random.default_rng(seed)
    tensors: dict[str, Tensor] = {}
    nodes: list[Node] = []
    first = inputs or activations
    tensors["x"] = Tensor("x", (dims[0],), first)
    last = "x"
    if inputs is not None:
        low, high = tensors["x"].limits
        tensors["q"] = Tensor("q", (dims[0],), activations)
        nodes.append(Thresholding(
            name="Thresholding_0", inputs=("x",), outputs=("q",), thresholds=_thresholds(rng, low, high, 1, activations)))
        last = "q"
    low, high = Tensor("", (1,), weights).limits
    for index, (mw, mh) in enumerate(pairwise(dims)):
        matrix = rng.choice([-1, 1], (mh, mw)) if weights == "BIPOLAR" else rng.integers(low, high, (mh, mw), endpoint=True)
        reach = int(np.abs(matrix).sum(axis=1).max()) * max(map(abs, tensors[last].limits))
        acc = smallest_datatype(-reach, reach)
        final = index == len(dims) - 2
        out = f"t{index}"
        tensors[out] = Tensor(out, (mh,), acc if final else activations)
        nodes.append(MVAU(
            name=f"MVAU_{index}", inputs=(last,), outputs=(out,), weights=matrix.astype(np.int64), weight_dtype=weights,
            acc_dtype=acc, thresholds=None if final else _thresholds(rng, -reach // 4, reach // 4, mh, activations)))
        last = out
    if label:
        tensors["y"] = Tensor("y", (1,), smallest_datatype(0, dims[-1] - 1))
        nodes.append(LabelSelect(name="LabelSelect_0", inputs=(last,), outputs=("y",)))
        last = "y"
    return Graph("mlp", tuple(nodes), tensors, ("x",), (last,))


def _thresholds(rng: np.random.Generator, low: int, high: int, rows: int, dtype: str) -> Thresholds:
    tensor = Tensor("", (1,), dtype)
    count = 1 if dtype == "BIPOLAR" else tensor.limits[1] - tensor.limits[0]
    values = np.sort(rng.integers(low, high, (rows, count), endpoint=True), axis=1)
    return Thresholds(values, np.zeros(rows, dtype=bool), tensor.limits[0], 2 if dtype == "BIPOLAR" else 1)
