"""Small graphs that hold every operator and need every converter: what lint and tests look at."""

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
    Thresholds,
)


def chain() -> Graph:
    """Matrices between thresholds and a label, and an awkward name."""
    tensors = {name: Tensor(name, shape, dtype) for name, shape, dtype in (
        ("in put", (12,), "UINT8"), ("t0", (12,), "BIPOLAR"), ("t1", (6,), "INT3"), ("t2", (4,), "INT8"), ("y", (1,), "UINT2"))}
    steps = np.arange(-3, 4, dtype=np.int64)[None, :]
    rng = np.random.default_rng(1)
    return Graph("sample", (
        Thresholding(name="Thresholding_0", inputs=("in put",), outputs=("t0",),
                     thresholds=Thresholds(np.array([[128]]), np.array([False]), -1, 2)),
        MVAU(name="logic", inputs=("t0",), outputs=("t1",), weights=rng.choice([-1, 1], (6, 12)), weight_dtype="BIPOLAR",
             acc_dtype="INT5", thresholds=Thresholds(np.repeat(steps, 6, 0), np.arange(6) % 2 == 1, -4, 1)),
        MVAU(name="MVAU_1", inputs=("t1",), outputs=("t2",), weights=rng.integers(-2, 2, (4, 6)), weight_dtype="INT2",
             acc_dtype="INT8"),
        LabelSelect(name="LabelSelect_0", inputs=("t2",), outputs=("y",)),
    ), tensors, ("in put",), ("y",))


def chain_folding() -> dict[str, NodeFolding]:
    """A folding of `chain` that needs a converter between any two nodes."""
    return {"Thresholding_0": NodeFolding(2), "logic": NodeFolding(2, 3), "MVAU_1": NodeFolding(4, 6, "block"),
            "LabelSelect_0": NodeFolding(1)}


def branched() -> tuple[Graph, dict[str, NodeFolding], dict[str, int]]:
    """Every operator that `chain` lacks, with its folding and depths that suffice for its branches."""
    rng = np.random.default_rng(2)
    two = Thresholds(np.array([[-2, 3, 9]]), np.array([False]), 0)
    window: dict[str, object] = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
    steps: list[tuple[type[Node], str, str, tuple[int, ...], NodeFolding, dict[str, object]]] = [
        (SlidingWindow, "x", "UINT4", (4, 4, 18), NodeFolding(1, 2), window),
        (MVAU, "t0", "UINT2", (4, 4, 4), NodeFolding(2, 6),
         {"weights": rng.integers(-2, 2, (4, 18)), "weight_dtype": "INT2", "acc_dtype": "INT10", "thresholds": two}),
        (SlidingWindow, "t1", "UINT2", (4, 4, 36), NodeFolding(1, 2), {**window, "depthwise": True}),
        (VVAU, "t2", "UINT2", (4, 4, 4), NodeFolding(2, 1),
         {"weights": rng.integers(-2, 2, (4, 9)), "weight_dtype": "INT2", "acc_dtype": "INT7", "thresholds": two}),
        (Add, "t1 t3", "INT5", (4, 4, 4), NodeFolding(4), {"coefficients": (3, -2)}),
        (SlidingWindow, "t4", "INT5", (2, 2, 16), NodeFolding(1, 4, parallel_window=True),
         {"kernel": (2, 2), "stride": (2, 2), "depthwise": True}),
        (Pool, "t5", "INT5", (2, 2, 4), NodeFolding(4, 4), {"kind": "max", "taps": 4}),
        (Slice, "t6", "INT5", (2, 2, 2), NodeFolding(1), {"begin": 1, "end": 3}),
        (Lookup, "t6", "UINT3", (2, 2, 4), NodeFolding(2), {"table": rng.integers(0, 8, (4, 32)), "low": -16}),
        (Multiply, "t6 t8", "INT9", (2, 2, 4), NodeFolding(1), {}),
        (Requantise, "t9", "INT5", (2, 2, 4), NodeFolding(2),
         {"multiplier": rng.integers(5, 20, 4), "addend": np.array([9]), "shift": 6, "low": -16, "high": 15}),
        (Concat, "t7 t10", "INT5", (2, 2, 6), NodeFolding(2), {}),
        (Reorder, "t11", "INT5", (4, 4, 6), NodeFolding(3),
         {"out_shape": (4, 4, 6), "counts": (2, 2, 2, 2, 6), "strides": (12, 0, 6, 0, 1)}),
        (GlobalPool, "t12", "INT9", (1, 1, 6), NodeFolding(2), {"kind": "sum"}),
        (MVAU, "t13", "UINT2", (1, 1, 3), NodeFolding(3, 6, style="constant"),
         {"weights": rng.integers(-2, 2, (3, 6)), "weight_dtype": "INT2", "acc_dtype": "INT13", "thresholds": two}),
        (Thresholding, "t14", "UINT2", (1, 1, 3), NodeFolding(3, style="constant"),
         {"thresholds": Thresholds(np.array([[1, 2], [2, 3], [9, 9]]), np.array([False, True, False]), 0)}),
    ]
    tensors = {"x": Tensor("x", (4, 4, 2), "UINT4")}
    nodes: list[Node] = []
    folding = {}
    for index, (kind, sources, dtype, shape, own, values) in enumerate(steps):
        name = f"{kind.__name__}_{sum(isinstance(node, kind) for node in nodes)}"
        nodes.append(kind(name=name, inputs=tuple(sources.split()), outputs=(f"t{index}",), **values))  # type: ignore[arg-type]
        tensors[f"t{index}"] = Tensor(f"t{index}", shape, dtype)
        folding[name] = own
    graph = Graph("branched", tuple(nodes), tensors, ("x",), (f"t{len(nodes) - 1}",))
    depths = {f"{tensor}@{node.name}": 40 for tensor in tensors for node in graph.consumers(tensor)
              if len(graph.consumers(tensor)) > 1}
    return graph, folding, depths
