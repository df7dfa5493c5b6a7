"""Many small designs in one Verilated model: a unit is an emitted graph or a generated wrapper with its golden function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hw_flow.folding import NodeFolding, input_lanes, output_lanes
from hw_flow.ir import MVAU, Graph, Tensor, Thresholds, execute
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl import Design, emit
from hw_flow.rtl.files import kernel_paths
from hw_flow.rtl.wrappers import Module, node_module
from sim import Model, SimResult, Source, Stalls, StreamPort, build


@dataclass(frozen=True)
class Unit:
    """One design under test, with its input and output stream and what it must compute on ``[N, elements]``."""

    name: str
    top: str
    files: tuple[Path, ...]
    source: StreamPort
    sink: StreamPort
    golden: Callable[..., IntArray]
    axi: bool = True
    more: tuple[StreamPort, ...] = ()  # further inputs of a module of ours; ``golden`` takes an array for each

    @property
    def sources(self) -> tuple[StreamPort, ...]:
        return self.source, *self.more

    @property
    def ports(self) -> tuple[StreamPort, ...]:
        names = [f"{self.name}_in", *(f"{self.name}_in{index + 1}" for index in range(len(self.more)))]
        return (*(replace(port, name=name) for port, name in zip(self.sources, names, strict=True)),
                replace(self.sink, name=f"{self.name}_out"))

    def instance(self) -> list[str]:
        *intos, out = self.ports
        into = intos[0]
        pins = [("clk_i", "clk_i"), ("rst_ni", "rst_ni")]
        shorts = ["s"] if len(intos) == 1 else [f"s{index}" for index in range(len(intos))]
        for port, prefix, short in (*((port, "s_axis", short) for port, short in zip(intos, shorts, strict=True)),
                                    (out, "m_axis", "m")):
            for signal, plain in (("tdata", "data"), ("tvalid", "valid"), ("tready", "ready")):
                way = "i" if (port.direction == "in") != (plain == "ready") else "o"
                wire = f"{port.name}_{signal}"
                if not self.axi and plain == "data":
                    wire += f"[{port.bits - 1}:0]"
                pins.append((f"{prefix}_{signal}" if self.axi else f"{short}_{plain}_{way}", wire))
        if self.axi:
            pins += [("s_axis_tlast", f"{into.name}_tlast"), ("m_axis_tlast", f"{out.name}_tlast")]
        text = [f"  {self.top} u_{self.name} (" + ", ".join(f".{pin}({wire})" for pin, wire in pins) + ");"]
        if not self.axi and out.tdata_bits > out.bits:
            text.append(f"  assign {out.name}_tdata[{out.tdata_bits - 1}:{out.bits}] = '0;")
        if not self.axi:
            text.append(f"  bw_last_counter #(.Beats({out.beats})) u_last_{self.name} (.clk_i, .rst_ni,"
                        f" .transfer_i({out.name}_tvalid && {out.name}_tready), .last_o({out.name}_tlast));")
        return text


def graph_unit(name: str, graph: Graph, folding: Mapping[str, NodeFolding], folder: Path,
               depths: Mapping[str, int] | None = None) -> Unit:
    """The emitted ``graph``."""
    design: Design = emit(graph, folding, depths or {}, folder / name, name)
    files = tuple(design.directory / file for file in design.files if not file.startswith("lib/"))
    into, out = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]

    def golden(x: IntArray) -> IntArray:
        return execute(graph, {into.name: x.reshape(-1, *into.shape)})[out.name].reshape(len(x), -1)

    return Unit(name, design.top, files, design.inputs[0], design.outputs[0], golden)


def wrapper_unit(name: str, module: Module, source: StreamPort, sink: StreamPort, folder: Path) -> Unit:
    """A generated FIFO or converter, which must not change the data."""
    paths = []
    for file, text in module.texts.items():
        paths.append(folder / file)
        paths[-1].write_text(text)
    return Unit(name, module.name, tuple(paths), source, sink, lambda x: x, axi=False)


def node_unit(name: str, graph: Graph, folding: NodeFolding, folder: Path) -> Unit:
    """The generated module of the only node of ``graph``, which may have several inputs."""
    (node,) = graph.nodes
    module = node_module(node, graph, folding, f"{name}_node")
    paths = []
    for file in module.files:
        paths.append(folder / file)
        paths[-1].write_text(module.texts[file])
    ports = [_port(graph.tensors[tensor], input_lanes(node, folding, index), "in") for index, tensor in enumerate(node.inputs)]
    shapes = [graph.tensors[tensor].shape for tensor in node.inputs]

    def golden(*frames: IntArray) -> IntArray:
        shaped = [x.reshape(-1, *shape) for x, shape in zip(frames, shapes, strict=True)]
        return node.golden(*shaped).reshape(len(frames[0]), -1)

    sink = _port(graph.output_of(node), output_lanes(node, folding), "out")
    return Unit(name, module.name, tuple(paths), ports[0], sink, golden, axi=False, more=tuple(ports[1:]))


def _port(tensor: Tensor, lanes: int, direction: str) -> StreamPort:
    return StreamPort("", "in" if direction == "in" else "out", tensor.width, lanes, tensor.elements // lanes,
                      signed=tensor.signed, bipolar=tensor.dtype == "BIPOLAR")


def bundle(units: Sequence[Unit], folder: Path) -> Model:
    """A model that holds all ``units`` side by side."""
    ports = [port for unit in units for port in unit.ports]
    lines = []
    for port in ports:
        into, out = ("input ", "output") if port.direction == "in" else ("output", "input ")
        lines += [f"  {into} logic [{port.tdata_bits - 1}:0] {port.name}_tdata", f"  {into} logic {port.name}_tvalid",
                  f"  {out} logic {port.name}_tready", f"  {into} logic {port.name}_tlast"]
    body = [line for unit in units for line in unit.instance()]
    top = folder / "bench.sv"
    top.write_text("\n".join(["module bench (", "  input logic clk_i,", "  input logic rst_ni,", ",\n".join(lines), ");", *body,
                              "endmodule", ""]))
    files = (*kernel_paths(), *(file for unit in units for file in unit.files), top)
    return build(Source("bench", files), ports)


def random_values(rng: np.random.Generator, port: StreamPort, dtype: str | None, frames: int) -> IntArray:
    """Frames for ``port``: random, and the first four at the ends of the type's range."""
    low, high = Tensor("", (1,), dtype).limits if dtype else port.value_range
    values = rng.integers(low, high, (frames, port.elements), endpoint=True)
    values[0], values[1] = low, high
    values[2, ::2], values[3, 1::2] = low, high
    if port.bipolar:
        values = np.where(values > 0, 1, -1)
    return values


def check(model: Model, units: Sequence[Unit], inputs: Mapping[str, IntArray], **settings: object) -> SimResult:
    """Run and compare every unit with its golden function."""
    feeds = {unit.name: [inputs[unit.name], *(inputs[f"{unit.name}_in{index + 1}"] for index in range(len(unit.more)))]
             for unit in units}
    streams = {port.name: x for unit in units for port, x in zip(unit.ports, feeds[unit.name], strict=False)}
    result = model.run(streams, **settings)  # type: ignore[arg-type]
    assert result.status == "done", f"{result.reason}\n{result.log}"
    wrong = {}
    for unit in units:
        want, got = unit.golden(*feeds[unit.name]), result.outputs[unit.ports[-1].name]
        if not np.array_equal(want, got):
            wrong[unit.name] = np.flatnonzero((want != got).any(axis=1)).tolist()
    assert not wrong, f"frames that differ: {wrong}"
    return result


def check_all(model: Model, units: Sequence[Unit], types: Mapping[str, str], seed: int, frames: int = 24) -> SimResult:
    """No stalls, stalls of three kinds, a reset in mid-frame; returns the result without stalls."""
    rng = np.random.default_rng(seed)
    inputs = {unit.name: random_values(rng, unit.source, types.get(unit.name), frames) for unit in units}
    inputs |= {port.name: random_values(rng, port, types.get(port.name), frames) for unit in units for port in unit.ports[1:-1]}
    for stalls in (Stalls(0.5), Stalls(0.9), Stalls(0.5, burst=20)):
        check(model, units, inputs, stalls=stalls, seed=seed, x_seeds=(seed,))
    check(model, units, inputs, stalls=Stalls(0.3), seed=seed, reset_at=57)
    check(model, units, inputs, reset_at=23, x_seeds=(seed,))
    return check(model, units, inputs)


def random_matrix(rng: np.random.Generator, dtype: str, rows: int, columns: int) -> IntArray:
    """Random weights whose first and last row are at the ends of the type's range."""
    low, high = Tensor("", (1,), dtype).limits
    values = rng.integers(low, high, (rows, columns), endpoint=True)
    values[0], values[-1] = low, high
    return np.where(values > 0, 1, -1) if dtype == "BIPOLAR" else values


def random_thresholds(rng: np.random.Generator, rows: int, reach: int, out: str, descending: bool) -> Thresholds:
    """Ascending thresholds, some beyond the input's range and some equal."""
    low, high = Tensor("", (1,), out).limits
    step = 2 if out == "BIPOLAR" else 1
    values = np.sort(rng.integers(-reach, reach, (rows, (high - low) // step), endpoint=True), axis=1)
    values[0, 0], values[-1, -1] = -4 * reach - 9, 4 * reach + 9
    return Thresholds(values, rng.random(rows) < 0.5 if descending else np.zeros(rows, dtype=bool), low, step)


def matrix_graph(rng: np.random.Generator, mh: int, mw: int, weights: str, acts: str, out: str | None, *, vectors: int = 1,
                 descending: bool = False, narrow: bool = False) -> Graph:
    """One MVAU on ``vectors`` vectors a frame, raw or with thresholds to type ``out``; ``narrow`` weights are symmetric."""
    matrix = random_matrix(rng, weights, mh, mw)
    matrix = np.maximum(matrix, -matrix.max()) if narrow else matrix
    source = Tensor("x", (mw,) if vectors == 1 else (vectors, mw), acts)
    bound = int(np.abs(matrix).sum(axis=1).max()) * max(map(abs, source.limits))
    acc = f"INT{bound.bit_length() + 1}"
    sink = Tensor("y", (*source.shape[:-1], mh), out or acc)
    activation = random_thresholds(rng, mh, max(2, int(bound**0.7)), out, descending) if out else None
    node = MVAU(name="MVAU_0", inputs=("x",), outputs=("y",), weights=matrix, weight_dtype=weights, acc_dtype=acc,
                thresholds=activation)
    return Graph("matrix", (node,), {"x": source, "y": sink}, ("x",), ("y",))
