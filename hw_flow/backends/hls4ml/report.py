"""Put together the report of an hls4ml build from what its verbs recorded."""

from __future__ import annotations

import time
from math import prod
from typing import TYPE_CHECKING, Literal, cast

from hw_flow.backends.hls4ml.netlist import Layer as HlsLayer
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.verilog import Run
from hw_flow.report.assemble import MODEL, tools
from hw_flow.report.records import load_simulation, load_syntheses
from hw_flow.report.schema import Figure, HostOpInfo, Layer, Report, TensorInfo

if TYPE_CHECKING:
    from hw_flow.backends.protocol import Build

_CYCLES = ("interval_cycles", "latency_cycles")


def assemble(build: Build, project: Project) -> Report:
    """The report of ``build``: its layers as hls4ml has them, the verdict of the C simulation, the vendor's figures."""
    stamp, graph = build.stamp, project.program.graph
    simulation = load_simulation(build.directory, build.key)
    syntheses = load_syntheses(build.directory, build.key)
    seconds = {**stamp["seconds"]}
    for record in (simulation, *syntheses.values()):
        seconds |= record.seconds if record is not None else {}
    cycles = {name: record.resources.total[name] for record in syntheses.values() for name in _CYCLES
              if name in record.resources.total}
    run = Run.load(build.directory, build.key)
    cycles |= run.performance if run is not None else {}
    tensors = graph.tensors
    return Report(
        name=build.name, backend=build.backend, created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        tools={**tools(), "hls4ml": project.written.version},
        model_file=str(stamp["model_file"]), model_sha256=str(stamp["model_sha256"]),
        inputs=[TensorInfo(name=name, shape=list(tensors[name].shape), dtype=tensors[name].dtype) for name in graph.inputs],
        outputs=[TensorInfo(name=name, shape=list(tensors[name].shape), dtype=tensors[name].dtype) for name in graph.outputs],
        host_ops=[HostOpInfo(name=op["name"], op_type=op["op_type"], reason=op["reason"],
                             side=cast(Literal["before", "after"], op["side"])) for op in stamp["host_ops"]],
        notes=list(build.notes), streams=[], performance=cycles,
        layers=[_layer(layer, project) for layer in project.netlist.layers if layer.kind != "InputLayer"],
        resources={target: record.resources for target, record in syntheses.items()},
        accuracy=simulation.accuracy if simulation is not None else {},
        verification=simulation.verification if simulation is not None else None, seconds=seconds,
    )


def _layer(layer: HlsLayer, project: Project) -> Layer:
    folding: dict[str, int | str] = dict(layer.types)
    figures: dict[str, Figure] = {}
    if layer.matrix is not None:
        strategy, reuse = project.settings.of(layer)
        folding |= {"strategy": strategy, "reuse_factor": reuse}
        inputs, outputs = layer.matrix
        products = inputs * outputs
        figures["macs"] = _model(products * prod(layer.shape[:-1]))
        figures["multipliers"] = _model(-(-products // reuse))
    sources = [source for node in project.program.graph if node.name == layer.name for source in node.source]
    return Layer(name=layer.name, kind=layer.kind, sources=sources, folding=folding, figures=figures)


def _model(value: int) -> Figure:
    return Figure(value=value, unit="1", source=MODEL)
