"""The integer graph to hls4ml's layers, exact by construction.

Weights are integers, accumulators have the range that weights and input types allow, and an activation is the saturating cast of
``scale * x + bias`` (`affine.fit`). What hls4ml sees of a tensor is the integer itself, but for BIPOLAR, where one unsigned bit
stands for -1 and +1: its step and offset go into the thresholds and the accumulator's offset, never into arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hw_flow.backends.hls4ml.affine import Affine
from hw_flow.backends.hls4ml.netlist import Abilities, Fixed, Netlist, Wire
from hw_flow.backends.hls4ml.shapes import Shapes
from hw_flow.backends.hls4ml.wiring import NONE, where
from hw_flow.errors import FlowError
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
    Thresholding,
)
from hw_flow.ir.tensor import IntArray

EVERYTHING = Abilities()


def translate(graph: Graph, able: Abilities = EVERYTHING) -> Netlist:
    """hls4ml's layers for ``graph``.

    Parameters
    ----------
    able : which layers the tool has (see `settings.abilities`).

    Raises
    ------
    FlowError : a node has no exact counterpart in hls4ml; names the node, the reason and the remedy.
    """
    return _Translator(graph, able).run()


class _Translator(Shapes):
    """All nodes in turn; joins and functions here."""

    def run(self) -> Netlist:
        source, sink = self.graph.inputs[0], self.graph.outputs[0]
        self.input(self.graph.tensors[source])
        rules: dict[type[Node], Callable[[Any], None]] = {
            MVAU: self.matrix, VVAU: self.depthwise, Thresholding: self.thresholding, Requantise: self.requantise,
            SlidingWindow: self.window, Pool: self.pool, GlobalPool: self.global_pool, Add: self.add,
            Multiply: self.multiply, Concat: self.concat, Slice: self.slice, Reorder: self.reorder, Lookup: self.lookup,
        }
        for node in self.graph:
            if isinstance(node, LabelSelect) and node.outputs[0] == sink:
                sink = node.inputs[0]  # the host takes the index
                break
            rule = rules.get(type(node))
            if rule is None:
                raise FlowError(f"{where(node)}: hls4ml has no layer for a {type(node).__name__}; end the network before it, or "
                                "build with --backend rtl")
            if not isinstance(node, MVAU | VVAU | Pool) and any(name in self.windows for name in node.inputs):
                raise FlowError(f"{where(node)}: reads padding or a window that it neither multiplies nor pools, for which "
                                "hls4ml has no layer; build with --backend rtl")
            rule(node)
        if sink not in self.wires:
            raise FlowError(f"{where(self.graph.nodes[-1])}: the network ends in a window; end it in a layer")
        return Netlist(tuple(self.layers), self.wires, source, sink)

    def thresholding(self, node: Thresholding) -> None:
        self.finish(node, node.name, node.thresholds, self.wires[node.inputs[0]])

    def requantise(self, node: Requantise) -> None:
        wire = self.wires[node.inputs[0]]
        # (m * (step * seen + offset) + a) >> shift
        form = Affine(node.multiplier * wire.step, node.shift, node.addend + node.multiplier * wire.offset, node.shift, "TRN")
        self.done(node, self.cast(node.name, wire, form, node.low, node.high))

    def add(self, node: Add) -> None:
        terms = [self.term(node, index) for index in range(len(node.inputs))]
        made = self.chain(node, terms, "add", lambda one, two: (one.low + two.low, one.high + two.high, one.offset + two.offset))
        self.finish(node, node.name, node.thresholds, made)

    def term(self, node: Add, index: int) -> Wire:
        """Input ``index`` times its coefficient and step."""
        wire, factor = self.wires[node.inputs[index]], node.coefficients[index]
        if wire.step * factor == 1:
            return wire
        made = self.scaled(wire, f"{node.name}_in{index}", np.full(1, wire.step * factor), NONE, 0)
        return replace(made, offset=wire.offset * factor)

    def multiply(self, node: Multiply) -> None:
        terms = [self.plain(self.wires[name], f"{node.name}_in{index}") for index, name in enumerate(node.inputs)]

        def reach(one: Wire, two: Wire) -> tuple[IntArray, IntArray, IntArray]:
            ends = np.stack(np.broadcast_arrays(*(a * b for a in (one.low, one.high) for b in (two.low, two.high))))
            return ends.min(axis=0), ends.max(axis=0), NONE

        self.finish(node, node.name, node.thresholds, self.chain(node, terms, "multiply", reach))

    def chain(self, node: Node, terms: list[Wire], op: str,
               reach: Callable[[Wire, Wire], tuple[IntArray, IntArray, IntArray]]) -> Wire:
        made = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            low, high, offset = reach(made, term)
            name = node.name if index == len(terms) - 1 else f"{node.name}_{index}"
            kind = str(Fixed.holding(int(low.min()), int(high.max())))
            self.append(name, "Merge", (made.layer, term.layer), made.shape, attributes={"op": op}, types={"result": kind})
            made = Wire(name, made.shape, 1, offset, low, high)
        return made

    def concat(self, node: Concat) -> None:
        terms = [self.plain(self.wires[name], f"{node.name}_in{index}") for index, name in enumerate(node.inputs)]
        made = terms[0]
        for index, term in enumerate(terms[1:], start=1):
            name = node.name if index == len(terms) - 1 else f"{node.name}_{index}"
            low = np.concatenate([np.broadcast_to(wire.low, wire.shape[-1]) for wire in (made, term)])
            high = np.concatenate([np.broadcast_to(wire.high, wire.shape[-1]) for wire in (made, term)])
            shape = (*made.shape[:-1], made.shape[-1] + term.shape[-1])
            kind = str(Fixed.holding(int(low.min()), int(high.max())))
            self.append(name, "Concatenate", (made.layer, term.layer), shape,
                         attributes={"axis": len(shape), "op": f"concatenate{len(shape)}d"}, types={"result": kind})
            made = Wire(name, shape, 1, NONE, low, high)
        self.done(node, made)
