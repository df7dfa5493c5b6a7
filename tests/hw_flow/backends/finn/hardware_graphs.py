"""FINN's hardware graphs by hand, and what FINN's Python computes on them."""

from __future__ import annotations

import numpy as np

from hw_flow.backends.finn.hardware import HardwareGraph, HardwareNode


class Builder:
    """Collects nodes of a chain; ``run`` executes them as FINN does, values as FINN holds them."""

    def __init__(self, shape, dtype, seed=0):
        self.rng = np.random.default_rng(seed)
        self.shapes, self.dtypes, self.arrays = {"in": (1, *shape)}, {"in": dtype}, {}
        self.nodes, self.steps, self.last = [], [], "in"
        self.dtype, self.shape = dtype, shape

    def add(self, op_type, outputs, attributes, function, *, constants=(), inputs=None):
        """``outputs``: shape and type by tensor; ``function``: arrays of the inputs to arrays of the outputs."""
        names = tuple(inputs or (self.last,))
        for name, (shape, dtype) in outputs.items():
            self.shapes[name], self.dtypes[name] = (1, *shape), dtype
        constant_names = []
        for index, value in enumerate(constants):
            name = f"{op_type}_{len(self.nodes)}_p{index}"
            self.arrays[name], self.shapes[name], self.dtypes[name] = value, value.shape, "INT32"
            constant_names.append(name)
        count = sum(node.op_type == op_type for node in self.nodes)
        self.nodes.append(HardwareNode(f"{op_type}_{count}", op_type, (*names, *constant_names), tuple(outputs), attributes,
                                       tuple(constant_names), 1))
        self.steps.append((names, tuple(outputs), function))
        self.last = next(iter(outputs))
        return self

    def mvau(self, mh, *, xnor=False, levels=0, dtype="INT2", pe=1, simd=1):
        source, in_type = self.shapes[self.last][1:], self.dtypes[self.last]
        mw, name = source[-1], f"t{len(self.nodes)}"
        weights = self.rng.integers(0, 2, (mw, mh)) if xnor else self.rng.integers(-2, 2, (mw, mh))
        attributes = {"PE": pe, "SIMD": simd, "binaryXnorMode": int(xnor), "noActivation": int(levels == 0), "ActVal": 0,
                      "inputDataType": in_type, "weightDataType": "BINARY" if xnor else dtype, "outputDataType": "INT16"}
        thresholds = np.sort(self.rng.integers(0 if xnor else -mw, mw, (mh, max(1, levels))), axis=1).astype(np.float32)

        def run(x):
            sums = (x[..., None] == weights).sum(axis=-2) if xnor else x @ weights
            return sums if levels == 0 else (sums[..., None] >= thresholds).sum(axis=-1)

        out = "INT16" if levels == 0 else "BINARY" if levels == 1 else f"UINT{levels.bit_length()}"
        constants = (weights.astype(np.float32), *((thresholds,) if levels else ()))
        return self.add("MVAU_hls", {name: ((*source[:-1], mh), out)}, attributes, run, constants=constants)

    def finish(self):
        """The graph."""
        return HardwareGraph(tuple(self.nodes), self.shapes, self.dtypes, self.arrays, ("in",), (self.last,))

    def run(self, x):
        """Every tensor for ``x [N, *shape]``."""
        values = {"in": x}
        for names, outputs, function in self.steps:
            results = function(*(values[name] for name in names))
            values |= zip(outputs, results if isinstance(results, tuple) else (results,), strict=True)
        return values
