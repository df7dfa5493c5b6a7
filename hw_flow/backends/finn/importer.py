"""From FINN's hardware graph to ours, node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.backends.finn.hardware import HardwareGraph, HardwareNode
from hw_flow.backends.finn.levels import IDENTITY, SIGN, Levels, collapsed, thresholds
from hw_flow.errors import FlowError
from hw_flow.folding import FoldingPlan, NodeFolding
from hw_flow.folding.values import RamStyle, ResType
from hw_flow.ir import (
    MVAU,
    VVAU,
    Add,
    Concat,
    GlobalPool,
    Graph,
    LabelSelect,
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
    smallest_datatype,
)
from hw_flow.ir.spatial import PoolKind
from hw_flow.ir.tensor import IntArray

# Nodes that leave every element as it is, and where FINN keeps a stream of its own.
_WIRES = ("Reshape", "Squeeze", "Unsqueeze", "DuplicateStreams", "ReplicateStream", "StreamingFIFO",
          "StreamingDataWidthConverter")
# Nodes through which a bit stays a bit.
_CARRIERS = (*_WIRES, "ConvolutionInputGenerator", "Pool", "FMPadding", "Concat", "Split", "InnerShuffle", "OuterShuffle",
             "Shuffle")


@dataclass(frozen=True)
class Placed:
    """Where a node of FINN's went.

    Attributes
    ----------
    finn, op_type : the node's name and operator.
    node : our node's name, or None where a wire or a fork does.
    """

    finn: str
    op_type: str
    node: str | None


@dataclass(frozen=True, eq=False)
class Imported:
    """Our graph of FINN's accelerator.

    Attributes
    ----------
    graph, folding : what our emitter takes.
    levels : by tensor of ours, how its integers stand for FINN's.
    names : FINN's tensor that each tensor of ours carries, in the same order of elements.
    placed : every node of FINN's, in order.
    """

    graph: Graph
    folding: FoldingPlan
    levels: Mapping[str, Levels]
    names: Mapping[str, str]
    placed: tuple[Placed, ...]


def import_graph(hardware: HardwareGraph, name: str) -> Imported:
    """Our graph, folding and integers for ``hardware``.

    Raises
    ------
    FlowError : a node that our kernels have no counterpart of.
    """
    if len(hardware.inputs) != 1 or len(hardware.outputs) != 1:
        raise FlowError(f"{name}: FINN's accelerator has {len(hardware.inputs)} inputs and {len(hardware.outputs)} outputs; the "
                        "simulation takes one of each")
    return _Importer(hardware, name).run()


@dataclass
class _Importer:
    hardware: HardwareGraph
    name: str
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)  # our tensor for one of FINN's
    folding: dict[str, NodeFolding] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def run(self) -> Imported:
        source = self.hardware.inputs[0]
        levels = SIGN if self._signs(source) else IDENTITY
        shape = self.hardware.shapes[source][1:]
        self._tensor(source, shape, "BIPOLAR" if levels is SIGN else self.hardware.dtypes[source], levels)
        for node in self.hardware.nodes:
            if node.kind in _WIRES:
                for output in node.outputs:
                    self.where[output] = self.where[node.streams[0]]
                self.placed.append(Placed(node.name, node.op_type, None))
                continue
            make = _MAKERS.get(node.kind)
            if make is None:
                raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
            for made in make(self, node):
                self._add(made, node)
        outputs = tuple(self.where[name] for name in self.hardware.outputs)
        graph = Graph(self.name, tuple(self.nodes), self.tensors, (self.where[source],), outputs)
        plan = FoldingPlan(self.folding, tuple(self.notes))
        return Imported(graph, plan, self.levels, self.names, tuple(self.placed))

    def _add(self, made: _Made, node: HardwareNode) -> None:
        shapes = [self.tensors[name].shape for name in made.node.inputs]
        self.nodes.append(made.node)
        self.folding[made.node.name] = made.folding
        self._tensor(made.finn, made.node.shape(*shapes), made.dtype, made.levels, made.node.outputs[0])
        self.placed.append(Placed(node.name, node.op_type, made.node.name))

    def _tensor(self, finn: str, shape: tuple[int, ...], dtype: str, levels: Levels, name: str | None = None) -> None:
        own = name or finn
        self.tensors[own] = Tensor(own, shape or (1,), dtype)
        self.levels[own], self.names[own], self.where[finn] = levels, finn, own

    def source(self, node: HardwareNode, index: int = 0) -> Tensor:
        """Our tensor behind a stream that ``node`` reads."""
        return self.tensors[self.where[node.streams[index]]]

    def named(self, kind: str) -> str:
        """The next name for a node of ``kind``."""
        number = self.counts.get(kind, 0)
        self.counts[kind] = number + 1
        return f"{kind}_{number}"

    def _signs(self, tensor: str) -> bool:
        """Whether only XNOR units read the bits of ``tensor``, so that they can be -1 and 1."""
        if self.hardware.dtypes[tensor] != "BINARY":
            return False
        readers = self.hardware.readers(tensor)
        return bool(readers) and all(
            bool(node.number("binaryXnorMode")) if node.kind == "MVAU" else
            node.kind in _CARRIERS and all(self._signs(output) for output in node.outputs) for node in readers)

    def bits(self, tensor: str) -> tuple[str, Levels]:
        """Type and levels of a tensor that holds FINN's values themselves, or its bits as signs."""
        return ("BIPOLAR", SIGN) if self._signs(tensor) else (self.hardware.dtypes[tensor], IDENTITY)


@dataclass(frozen=True, eq=False)
class _Made:
    """A node of ours for one of FINN's, and what is known of its output."""

    node: Node
    folding: NodeFolding
    finn: str
    dtype: str
    levels: Levels = IDENTITY


_Maker = Callable[[_Importer, HardwareNode], Iterator[_Made]]


@dataclass(frozen=True, eq=False)
class _Activation:
    """Thresholds, and type and levels of what they give."""

    thresholds: Thresholds
    dtype: str
    levels: Levels


def _activation(importer: _Importer, node: HardwareNode, values: np.ndarray, source: Levels) -> _Activation:
    """FINN's threshold ``values`` in front of the node's output, on sums that come as ``source`` says."""
    dtype, levels = importer.bits(node.outputs[0])
    base, step = node.number("ActVal"), 1
    if dtype == "BIPOLAR":
        base, step = -1, 2
    return _Activation(thresholds(values, source, base=base, step=step), dtype, levels)


def _folded(node: HardwareNode, pe: int, simd: int = 1, *, parallel: bool = False) -> NodeFolding:
    """A folding with FINN's memories and multipliers."""
    style, kind = str(node.attributes.get("ram_style", "auto")), str(node.attributes.get("resType", "auto"))
    ram: RamStyle = "block" if style in ("block", "ultra") else "distributed" if style == "distributed" else "auto"
    res: ResType = "lut" if kind == "lut" else "dsp" if kind == "dsp" else "auto"
    return NodeFolding(pe, simd, ram_style=ram, res_type=res, parallel_window=parallel)


def _mvau(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source = importer.source(node)
    arrays = importer.hardware.arrays
    given = np.rint(arrays[node.inputs[1]]).astype(np.int64).T
    xnor = bool(node.number("binaryXnorMode"))
    weights = 2 * given - 1 if xnor else given
    dtype = "BIPOLAR" if xnor else str(node.attributes["weightDataType"])
    constant = (1 - given).sum(axis=1) if xnor else np.zeros(len(given), dtype=np.int64)
    signs = node.attributes["inputDataType"] == "BIPOLAR" and dtype == "BIPOLAR" and not xnor
    yield _matrix(importer, node, MVAU, weights=weights, dtype=dtype,
                  levels=_sum_levels(importer, source, weights, constant, signs),
                  folding=_folded(node, node.number("PE"), node.number("SIMD")))


def _vvau(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source, channels = importer.source(node), node.number("Channels")
    weights = np.rint(importer.hardware.arrays[node.inputs[1]]).astype(np.int64).reshape(channels, -1)
    dtype = str(node.attributes["weightDataType"])
    signs = node.attributes["inputDataType"] == "BIPOLAR" and dtype == "BIPOLAR"
    levels = _sum_levels(importer, source, weights, np.zeros(channels, dtype=np.int64), signs)
    taps = _window_lanes(importer, node, weights.shape[1])
    yield _matrix(importer, node, VVAU, weights=weights, dtype=dtype, levels=levels,
                  folding=_folded(node, node.number("PE"), taps))


def _sum_levels(importer: _Importer, source: Tensor, weights: IntArray, constant: IntArray, signs: bool) -> Levels:
    """Levels of our sums: FINN's are ``weights @ finn + constant``, or half of that counted from all where both are signs."""
    given = importer.levels[source.name]
    if signs:  # FINN counts the products that are 1
        return collapsed(2, np.full(len(weights), -weights.shape[1], dtype=np.int64))
    return collapsed(given.factor, given.offset * weights.sum(axis=1) - given.factor * constant)


def _matrix(importer: _Importer, node: HardwareNode, kind: type[MVAU] | type[VVAU], *, weights: IntArray, dtype: str,
            levels: Levels, folding: NodeFolding) -> _Made:
    source, name = importer.source(node), importer.named(kind.__name__)
    low, high = source.limits
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    least, most = int((low * positive + high * negative).min()), int((high * positive + low * negative).max())
    acc = smallest_datatype(least, most)
    activation: Thresholds | None = None
    out, out_levels = acc, levels
    if not node.number("noActivation"):
        told = _activation(importer, node, importer.hardware.arrays[node.inputs[2]], levels)
        activation, out, out_levels = told.thresholds, told.dtype, told.levels
    elif levels.same:
        out = _wide_enough(node, str(node.attributes["outputDataType"]), least, most)
    made = kind(name=name, inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,), weights=weights,
                weight_dtype=dtype, acc_dtype=acc, thresholds=activation)
    return _Made(made, folding, node.outputs[0], out, out_levels)


def _wide_enough(node: HardwareNode, dtype: str, low: int, high: int) -> str:
    kind = DataType[dtype]
    if kind.min() > low or kind.max() < high:
        raise FlowError(f"{node.name}: FINN's {dtype} does not hold its sums from {low} to {high}; report this to FINN")
    return dtype


def _thresholding(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source, name = importer.source(node), importer.named("Thresholding")
    told = _activation(importer, node, importer.hardware.arrays[node.inputs[1]], importer.levels[source.name])
    made = Thresholding(name=name, inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                        thresholds=told.thresholds)
    yield _Made(made, NodeFolding(node.number("PE")), node.outputs[0], told.dtype, told.levels)


def _window(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source = importer.source(node)
    made = SlidingWindow(
        name=importer.named("SlidingWindow"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
        kernel=node.pair("ConvKernelDim"), stride=node.pair("Stride"), dilation=node.pair("Dilation"), pads=(0, 0, 0, 0),
        depthwise=bool(node.number("depthwise")))
    parallel = bool(node.number("parallel_window"))
    simd = node.number("SIMD")
    if parallel and not made.depthwise and simd != source.channels:
        raise FlowError(f"{node.name}: parallel_window with SIMD {simd} in front of a dense node; give SIMD {source.channels}")
    yield _Made(made, _folded(node, 1, simd, parallel=parallel and made.taps > 1), node.outputs[0], source.dtype,
                importer.levels[source.name])


def _padding(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source = importer.source(node)
    levels = importer.levels[source.name]
    top, left, bottom, right = (int(pad) for pad in node.attributes["Padding"])
    made = SlidingWindow(
        name=importer.named("SlidingWindow"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
        kernel=(1, 1), stride=(1, 1), pads=(top, left, bottom, right),
        pad_value=int(levels.ours(np.zeros(1))[0]))
    yield _Made(made, NodeFolding(1, node.number("SIMD", 1)), node.outputs[0], source.dtype, levels)


def _window_lanes(importer: _Importer, node: HardwareNode, taps: int) -> int:
    """Taps that our reducing node takes a beat: FINN's or all of them, as the window in front hands them over."""
    window = next((one for one in importer.nodes if one.outputs[0] == importer.where[node.streams[0]]), None)
    if not isinstance(window, SlidingWindow):
        return 1
    own = importer.folding[window.name]
    if own.simd != node.number("PE"):
        raise FlowError(f"{node.name}: PE {node.number('PE')} behind {window.source[0]} with SIMD {own.simd}, with which FINN "
                        "computes wrong results; give both the same")
    if node.kind == "VVAU" and (node.number("SIMD", 1) > 1) != own.parallel_window:
        raise FlowError(f"{node.name}: SIMD {node.number('SIMD', 1)} behind {window.source[0]} with parallel_window "
                        f"{int(own.parallel_window)}; give parallel_window 1 with SIMD above 1, and 0 with 1")
    lanes = taps if own.parallel_window else 1
    theirs = node.number("SIMD", 1)
    if lanes != theirs:
        importer.notes.append(f"{node.name}: simulated with {lanes} taps a cycle, FINN's takes {theirs}")
    return lanes


def _pool(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source, function = importer.source(node), str(node.attributes["Function"])
    taps = prod(int(size) for size in node.attributes["KernelSize"])
    if function not in ("MaxPool", "AccPool", "QuantAvgPool"):
        raise FlowError(f"{node.name} ({node.op_type}): {function} has no kernel of ours; use MaxPool or TruncAvgPool")
    levels = importer.levels[source.name]
    kind: PoolKind = "max" if function == "MaxPool" else "sum"
    if kind == "sum" and not levels.same:
        raise FlowError(f"{node.name} ({node.op_type}): an average of bits has no kernel of ours; use MaxPool")
    shift, low, high = 0, taps * source.limits[0], taps * source.limits[1]
    output = node.outputs[0]
    if function == "QuantAvgPool":
        bits = ((2**source.width - 1) * taps).bit_length()
        shift = max(0, bits - int(DataType[str(node.attributes["OutputDataType"])].bitwidth()))
    inner = f"{output}:sum" if shift else output
    made = Pool(name=importer.named("Pool"), inputs=(source.name,), outputs=(inner,), source=(node.name,), kind=kind, taps=taps)
    folding = NodeFolding(node.number("PE"), _window_lanes(importer, node, taps))
    dtype = source.dtype if kind == "max" else smallest_datatype(low, high)
    yield _Made(made, folding, inner, dtype, levels)
    if shift:
        yield _scaled(importer, node, inner, 1, np.zeros(1, dtype=np.int64), shift=shift,
                      limits=(low >> shift, high >> shift))


def _scaled(importer: _Importer, node: HardwareNode, source: str, factor: IntArray | int, addend: IntArray, *, shift: int = 0,
            limits: tuple[int, int]) -> _Made:
    """A multiply-add-shift of ours in front of FINN's output."""
    made = Requantise(
        name=importer.named("Requantise"), inputs=(source,), outputs=(node.outputs[0],), source=(node.name,),
        multiplier=np.atleast_1d(np.asarray(factor, dtype=np.int64)), addend=addend, shift=shift, low=limits[0], high=limits[1])
    dtype = str(importer.hardware.dtypes[node.outputs[0]])
    return _Made(made, NodeFolding(max(1, node.number("PE", 1))), node.outputs[0], _wide_enough(node, dtype, *limits))


def _global_pool(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source = importer.source(node)
    count = source.elements // source.channels
    low, high = (count * limit for limit in source.limits)
    made = GlobalPool(name=importer.named("GlobalPool"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                      kind="sum")
    dtype = _wide_enough(node, importer.hardware.dtypes[node.outputs[0]], low, high)
    yield _Made(made, NodeFolding(node.number("PE")), node.outputs[0], dtype)


def _label(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source = importer.source(node)
    if node.number("K") != 1:
        raise FlowError(f"{node.name}: selects {node.number('K')} labels; the simulation takes one")
    if len(importer.levels[source.name].offset) > 1:
        raise FlowError(f"{node.name}: compares counts of different channels; declare the weights BIPOLAR")
    made = LabelSelect(name=importer.named("LabelSelect"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,))
    yield _Made(made, NodeFolding(node.number("PE")), node.outputs[0], smallest_datatype(0, source.channels - 1))


def _elementwise(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    sources = [importer.source(node, index) for index in range(len(node.streams))]
    if not all(importer.levels[source.name].same for source in sources):
        raise FlowError(f"{node.name} ({node.op_type}): joins bits that FINN counts; no kernel of ours does")
    operation, pe = node.kind.removeprefix("Elementwise"), max(1, node.number("PE", 1))
    if len(sources) == 2:
        yield _joined(importer, node, sources, operation, pe)
        return
    constant = np.rint(importer.hardware.arrays[node.constants[0]]).astype(np.int64).ravel()
    source, first = sources[0], node.inputs[0] in node.constants
    table = {"Add": (np.ones(1), constant), "Mul": (constant, np.zeros(1)),
             "Sub": (-np.ones(1), constant) if first else (np.ones(1), -constant)}
    if operation not in table or len(constant) not in (1, source.channels):
        raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
    factor, addend = (np.asarray(values, dtype=np.int64) for values in table[operation])
    ends = np.stack([factor * limit + addend for limit in source.limits])
    yield _scaled(importer, node, source.name, factor, addend, limits=(int(ends.min()), int(ends.max())))


def _joined(importer: _Importer, node: HardwareNode, sources: list[Tensor], operation: str, pe: int) -> _Made:
    if operation not in ("Add", "Sub", "Mul"):
        raise FlowError(f"{node.name} ({node.op_type}): no kernel of ours stands in for it; end the network before it")
    (low, high), (least, most) = (source.limits for source in sources)
    names, output = tuple(source.name for source in sources), (node.outputs[0],)
    made: Node
    if operation == "Mul":
        ends = [low * least, low * most, high * least, high * most]
        made = Multiply(name=importer.named("Multiply"), inputs=names, outputs=output, source=(node.name,))
    else:
        ends = [low + least, high + most] if operation == "Add" else [low - most, high - least]
        made = Add(name=importer.named("Add"), inputs=names, outputs=output, source=(node.name,),
                   coefficients=(1, 1 if operation == "Add" else -1))
    dtype = _wide_enough(node, importer.hardware.dtypes[node.outputs[0]], min(ends), max(ends))
    return _Made(made, NodeFolding(pe), node.outputs[0], dtype)


def _concat(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    sources = [importer.source(node, index) for index in range(len(node.streams))]
    levels = importer.levels[sources[0].name]
    kinds = {source.dtype for source in sources}
    if len(kinds) > 1 or any(importer.levels[source.name].factor != levels.factor for source in sources):
        raise FlowError(f"{node.name}: joins {', '.join(sorted(kinds))}; the simulation joins equal types")
    made = Concat(name=importer.named("Concat"), inputs=tuple(source.name for source in sources), outputs=(node.outputs[0],),
                  source=(node.name,))
    yield _Made(made, NodeFolding(max(1, node.number("SIMD", 1))), node.outputs[0], sources[0].dtype, levels)


def _split(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source, begin = importer.source(node), 0
    for output, size in zip(node.outputs, node.attributes["ChannelsPerStream"], strict=True):
        made = Slice(name=importer.named("Slice"), inputs=(source.name,), outputs=(output,), source=(node.name,),
                     begin=begin, end=begin + int(size))
        begin += int(size)
        yield _Made(made, NodeFolding(max(1, node.number("SIMD", 1))), output, source.dtype, importer.levels[source.name])


def _shuffle(importer: _Importer, node: HardwareNode) -> Iterator[_Made]:
    source = importer.source(node)
    inner = tuple(int(size) for size in node.attributes.get("in_reshaped") or node.attributes["in_shape"])
    perm = node.attributes.get("perm") or [*range(len(inner) - 2), len(inner) - 1, len(inner) - 2]
    strides = [prod(inner[axis + 1:]) for axis in range(len(inner))]
    made = Reorder(name=importer.named("Reorder"), inputs=(source.name,), outputs=(node.outputs[0],), source=(node.name,),
                   out_shape=tuple(importer.hardware.shapes[node.outputs[0]][1:]),
                   counts=tuple(inner[axis] for axis in perm), strides=tuple(strides[axis] for axis in perm))
    yield _Made(made, NodeFolding(1), node.outputs[0], source.dtype, importer.levels[source.name])


_MAKERS: Mapping[str, _Maker] = {
    "MVAU": _mvau, "VVAU": _vvau, "Thresholding": _thresholding, "ConvolutionInputGenerator": _window, "FMPadding": _padding,
    "Pool": _pool, "GlobalAccPool": _global_pool, "LabelSelect": _label, "Concat": _concat, "Split": _split,
    "InnerShuffle": _shuffle, "OuterShuffle": _shuffle, "Shuffle": _shuffle,
    **{f"Elementwise{kind}": _elementwise for kind in ("Add", "Sub", "Mul")},
}
