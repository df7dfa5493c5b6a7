"""Cut a cleaned model into a host part, regions that hardware computes, and another host part.

A region takes one integer tensor to the next: affine operators that only change what the integers
stand for, at most one matrix product, element-wise operators, at most one final quantiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from hw_flow.errors import FlowError
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Fractions, Mul, Op, compose_affine
from hw_flow.frontend.quantisers import Quantiser
from hw_flow.frontend.reference import Reference
from hw_flow.frontend.regions import Integers, Linear, Plan, Region, accumulate, restore
from hw_flow.frontend.site import Site
from hw_flow.frontend.support import LAYOUT, LINEAR, QUANTISERS, TAIL
from hw_flow.frontend.translate import elementwise, quantiser
from hw_flow.frontend.weights import weights_of


@dataclass
class Planner:
    """Walks the chain of nodes once; ``source`` is the declared integer input, if there is one."""

    model: ModelWrapper
    reference: Reference
    source: Integers | None
    notes: list[str] = field(default_factory=list)

    def plan(self) -> Plan:
        """The cut of the whole model."""
        self.chain = self._chain()
        regions: list[Region] = []
        position, entry = 0, None
        current = self.source
        if current is None:
            position, current, entry = self._host_entry()
        start = position
        while True:
            region, position = self._region(current, position)
            if region is None:
                break
            regions.append(region)
            current = region.sink
        if not regions:
            raise FlowError(f"{self.chain[-1].name} ({self.chain[-1].op_type}): nothing before it can be computed in hardware; "
                            "a MatMul or Gemm after a quantiser is needed")
        self._check_tail(position)
        names = [node.name for node in self.chain]
        return Plan(regions[0].source, tuple(regions), tuple(names[:start]), tuple(names[position:]), tuple(self.notes), entry)

    # --- the chain -------------------------------------------------------------------------------------------------

    def _chain(self) -> list[onnx.NodeProto]:
        static, nodes = self.reference.static, self.model.graph.node
        chain = [node for node in nodes if node.output[0] not in static]
        output = self.reference.sink
        readers: dict[str, str] = {}
        for node in chain:
            moving = [name for name in node.input if name and name not in static]
            if node.op_type in QUANTISERS and len(moving) > 1:
                raise FlowError(f"{node.name} ({node.op_type}): activation without scale: its scale, zero point or bit width is "
                                "computed at run time; export the network with fixed quantisers")
            if len(moving) != 1:
                raise FlowError(f"{node.name} ({node.op_type}): joins {len(moving)} activations ({', '.join(moving)}); branches "
                                "cannot be compiled yet, use a network without them")
            if moving[0] in readers or moving[0] == output:
                raise FlowError(f"{node.name} ({node.op_type}): tensor '{moving[0]}' is read twice; branches cannot be compiled "
                                "yet, use a network without them")
            readers[moving[0]] = node.name
        if not chain:
            raise FlowError(f"graph output '{output}' does not depend on the input; export the network again")
        return chain

    def _kind(self, position: int) -> str:
        if position >= len(self.chain):
            return "end"
        op = self.chain[position].op_type
        return "linear" if op in LINEAR else "quantiser" if op in QUANTISERS else "tail" if op in TAIL else "element"

    def _site(self, position: int) -> Site:
        node, static = self.chain[position], self.reference.static
        source = next(name for name in node.input if name and name not in static)
        frames = [tuple(self.model.get_tensor_shape(name)[1:]) for name in (source, node.output[0])]
        return Site(node, static, frames[0], frames[1])

    def _stretch(self, position: int) -> tuple[int, int | None]:
        """End of the run of element-wise nodes and quantisers from ``position``, and its last quantiser."""
        last = None
        while (kind := self._kind(position)) in ("element", "quantiser"):
            last = position if kind == "quantiser" else last
            position += 1
        return position, last

    def _frame_after(self, position: int) -> tuple[int, ...]:
        return self._site(position).out_frame

    def _ops(self, begin: int, end: int) -> tuple[Op, ...]:
        ops: list[Op] = []
        for position in range(begin, end):
            site = self._site(position)
            ops.extend((quantiser(site),) if self._kind(position) == "quantiser" else elementwise(site))
        return tuple(ops)

    # --- the host's part -------------------------------------------------------------------------------------------

    def _host_entry(self) -> tuple[int, Integers, Quantiser]:
        first = next((i for i in range(len(self.chain)) if self._kind(i) == "quantiser"), None)
        if first is None:
            name = self.reference.source
            raise FlowError(f"{self.chain[0].name} ({self.chain[0].op_type}): missing quantiser: no activation of the network is "
                            f"quantised, not even the input '{name}'; insert Quant nodes or declare the input's integer type")
        _, last = self._stretch(first)
        position = last if last is not None else first
        floats = [node.name for node in self.chain[:position] if node.op_type in LINEAR]
        for name in floats:
            self.notes.append(f"{name} runs on the host in float32, because its input is not quantised; declare the integer type "
                              f"of input '{self.reference.source}' to compute it in hardware")
        last_quantiser = quantiser(self._site(position))
        return position + 1, self._quantised(position, last_quantiser), last_quantiser

    def _check_tail(self, position: int) -> None:
        for index in range(position, len(self.chain)):
            if self._kind(index) in ("linear", "quantiser"):
                node = self.chain[position]
                raise FlowError(f"{node.name} ({node.op_type}): stands before {self.chain[index].name}, so it would have to run "
                                "in hardware; only MatMul, Gemm, element-wise operators and quantisers can, move it to the end")

    # --- regions ---------------------------------------------------------------------------------------------------

    def _quantised(self, position: int, last: Quantiser) -> Integers:
        return Integers(self.chain[position].output[0], self._frame_after(position), last.scale, last.offset, last.dtype)

    def _region(self, source: Integers, begin: int) -> tuple[Region | None, int]:
        """The region from ``source`` whose nodes start at ``begin``, and the position after it."""
        stop, last = self._stretch(begin)
        kind = self._kind(stop)
        if last is not None:
            ops, final = self._ops(begin, last), quantiser(self._site(last))
            region = Region(self._names(begin, last + 1), source, self._quantised(last, final), start=restore(source, ""),
                            ops=ops, quantiser=final)
            return region, last + 1
        if kind == "linear":
            return self._linear(source, begin, stop)
        if kind == "tail":
            return self._select(source, begin, stop)
        return None, begin

    def _names(self, begin: int, end: int) -> tuple[str, ...]:
        return tuple(node.name for node in self.chain[begin:end])

    def _linear(self, source: Integers, begin: int, at: int) -> tuple[Region, int]:
        node, site = self.chain[at], self._site(at)
        if site.source != 0:
            raise FlowError(f"{site.where}: its activation is the second operand; export it as activation times weights")
        pre = self._ops(begin, at)
        scale, offset = self._affine(source, pre, at)
        if node.op_type == "Gemm" and site.attribute("transA", 0):
            raise FlowError(f"{site.where}: transA is set, which mixes frames; export the layer without it")
        matrix = site.array(1, "weight matrix")
        if matrix.ndim != 2:
            raise FlowError(f"{site.where}: its weights have rank {matrix.ndim}; they must be a matrix")
        transposed = node.op_type == "Gemm" and bool(site.attribute("transB", 0))
        weights = weights_of(node, self.model.graph, self.reference.static, transposed=transposed)
        linear = Linear(node.name, weights, site.frame)
        start = accumulate(linear, scale, offset)
        tail = self._gemm_tail(site)
        last = self._stretch(at + 1)[1]
        if last is None:
            factor, plus = compose_affine((*start, *tail)) or ((Fraction(1),), (Fraction(0),))
            sink = Integers(node.output[0], site.out_frame, Const.of_fractions(factor), Const.of_fractions(plus))
            return Region(self._names(begin, at + 1), source, sink, pre, linear, start, tail), at + 1
        ops, final = (*tail, *self._ops(at + 1, last)), quantiser(self._site(last))
        region = Region(self._names(begin, last + 1), source, self._quantised(last, final), pre, linear, start, ops, final)
        return region, last + 1

    def _affine(self, source: Integers, pre: Sequence[Op], at: int) -> tuple[Fraction, Fractions]:
        """The one scale and the offsets of a matrix product's input, or FlowError."""
        node = self.chain[at]
        for op in pre:
            if op.affine() is None:
                raise FlowError(f"{node.name} ({node.op_type}): missing quantiser: {op.node} makes its input '{node.input[0]}' "
                                f"non-integer; insert a Quant node between {op.node} and {node.name}")
        step = compose_affine((*restore(source, ""), *pre))
        assert step is not None
        scale, offset = step
        if len(scale) > 1:
            culprit = next((op.node for op in pre if (affine := op.affine()) and affine[0].size > 1), None)
            what = f"{culprit} scales each channel" if culprit else f"'{source.name}' has one scale per channel"
            raise FlowError(f"{node.name} ({node.op_type}): non-integer accumulator: its input '{node.input[0]}' has no common "
                            f"scale ({what}); insert a Quant node with one scale before {node.name}")
        if scale[0] == 0:
            raise FlowError(f"{node.name} ({node.op_type}): its input '{node.input[0]}' is multiplied by zero; check the export")
        return scale[0], offset

    def _gemm_tail(self, site: Site) -> tuple[Op, ...]:
        if site.node.op_type != "Gemm":
            return ()
        name, ops = site.node.name, []
        alpha = float(np.float32(site.attribute("alpha", 1.0)))
        if alpha != 1:
            ops.append(Mul(node=name, by=Const.of(alpha)))
        if len(site.node.input) > 2 and site.node.input[2]:
            beta = float(np.float32(site.attribute("beta", 1.0)))
            after = Site(site.node, site.static, site.out_frame, site.out_frame)
            bias = after.const(2, "bias")
            by = bias if beta == 1 else Const.of_fractions([Fraction(beta) * number for number in bias.fractions()])
            return (*ops, Add(node=name, by=by))
        return tuple(ops)

    def _select(self, source: Integers, begin: int, at: int) -> tuple[Region | None, int]:
        """TopK(1) or ArgMax in hardware, where it commutes with all that stands before it."""
        end = at
        while self._kind(end) == "tail" and self.chain[end].op_type in ("Softmax", "LogSoftmax") and self._last_axis(end, -1):
            end += 1
            while self._kind(end) == "element" and self.chain[end].op_type in LAYOUT:
                end += 1
        if self._kind(end) != "tail" or not self._picks_first(end):
            return None, begin
        node = self.chain[end]
        ops = (*restore(source, node.name), *self._ops(begin, at))
        rising = prod(float(op.sign()[0]) for op in ops if op.size == 1) > 0
        if any(op.size > 1 or not op.strict for op in ops) or not rising:
            self.notes.append(f"{node.name} runs on the host: the function before it is not the same strictly increasing one on "
                              "every channel")
            return None, begin
        index = node.output[1] if node.op_type == "TopK" else node.output[0]
        sink = Integers(index, tuple(self.model.get_tensor_shape(index)[1:]), Const.of(1.0), Const.of(0.0))
        return Region(self._names(begin, end + 1), source, sink, start=restore(source, ""), ops=self._ops(begin, at),
                      select=True), end + 1

    def _last_axis(self, position: int, default: int) -> bool:
        site = self._site(position)
        rank = len(site.frame) + 1
        return bool(site.attribute("axis", default) % rank == rank - 1)

    def _picks_first(self, position: int) -> bool:
        site, node = self._site(position), self.chain[position]
        if site.frame[-1] != prod(site.frame):
            return False
        if node.op_type == "ArgMax":
            return self._last_axis(position, 0) and not site.attribute("select_last_index", 0)
        if node.op_type != "TopK" or not self._last_axis(position, -1) or not site.attribute("largest", 1):
            return False
        values = node.output[0]
        used = values == self.reference.sink or any(values in reader.input for reader in self.chain)
        return site.array(1, "k").size == 1 and int(site.array(1, "k").item()) == 1 and not used
