"""What each back end says a model will cost before anything is built: ``rtl``, ``finn`` and ``hls4ml``, in one schema."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from hw_flow.errors import FlowError
from hw_flow.report.align import FIFOS_AND_CONVERTERS, GROUPS
from hw_flow.report.folder import Subject
from hw_flow.report.schema import Figure
from hw_flow.synth.parsers import ToolReport, figures

if TYPE_CHECKING:
    from hw_flow.backends import BuildOptions
    from hw_flow.folding import Folding, NodeFolding
    from hw_flow.ir import Graph, Node

_NO_HLS4ML = ("hls4ml states no LUTs before an HLS compiler has run; build its project, and give the csynth.xml of that run to "
              "`bitwright compare`")


class BackendEstimate(BaseModel):
    """What one back end says.

    Attributes
    ----------
    status : ``ok``, or ``unavailable`` with a ``reason``.
    source : who says it.
    total : ``interval_cycles``, ``latency_cycles``, ``luts``, ``bram18``, ``dsp``, as far as the source estimates them.
    layers : the same by node, with ``cycles`` a frame.
    notes : what the figures leave out, one sentence each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ok", "unavailable"]
    reason: str | None = None
    source: str | None = None
    total: dict[str, Figure] = Field(default_factory=dict)
    layers: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)


class Estimates(BaseModel):
    """Estimates of one model with one folding, by back end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal["1.0"] = "1.0"
    model: str
    folding: dict[str, dict[str, int]]
    backends: dict[str, BackendEstimate]
    notes: list[str]
    seconds: float


@dataclass(frozen=True)
class _Asked:
    """What every back end is asked: a file, the graph of its integers, and its folding."""

    model: Path
    options: BuildOptions
    graph: Graph
    plan: Folding


def estimate(model: str | Path, options: BuildOptions | None = None, backends: Sequence[str] | None = None) -> Estimates:
    """Estimates of a QONNX file by several back ends, all with the folding that ``options`` ask for.

    Parameters
    ----------
    backends : of ``rtl``, ``finn``, ``hls4ml``; None asks all.

    Raises
    ------
    FlowError : the model or the folding cannot be used, no such back end.
    """
    from hw_flow import frontend
    from hw_flow.backends import BuildOptions
    from hw_flow.backends.directory import top_name
    from hw_flow.backends.rtl import choose_folding, scale_of

    begin = time.monotonic()
    chosen = list(_BACKENDS) if backends is None else list(dict.fromkeys(backends))
    for name in chosen or [""]:
        if name not in _BACKENDS:
            raise FlowError(f"back end '{name}' is not known; choose of {', '.join(_BACKENDS)}")
    path, wanted = Path(model), options or BuildOptions()
    program = frontend.compile_qonnx(
        path, input_type=wanted.input_type, input_scale=scale_of(wanted.input_scale), name=top_name(path, wanted))
    plan = choose_folding(program.graph, wanted)
    asked = _Asked(path, wanted, program.graph, plan)
    found = {name: _BACKENDS[name](asked) for name in chosen}
    return Estimates(
        model=str(path), backends=found, folding={name: {"PE": own.pe, "SIMD": own.simd} for name, own in plan.items()},
        notes=[*program.notes, *plan.notes], seconds=round(time.monotonic() - begin, 3))


def subjects(result: Estimates) -> list[Subject]:
    """The estimates that there are, for the tables of `hw_flow.report.compare`."""
    return [
        Subject(name, Path(result.model), "estimate", (
            ToolReport(format="estimate", source=own.source or "", stage="estimate", total=own.total, layers=own.layers,
                       order=tuple(name for name in own.layers if name not in GROUPS)),),
            tuple(own.notes))
        for name, own in result.backends.items() if own.status == "ok"]


def by_model(graph: Graph, plan: Folding) -> BackendEstimate:
    """Our model: cycles are exact, LUTs a formula fitted to Yosys (`hw_flow.cost`)."""
    from hw_flow import cost, fifo, folding
    from hw_flow.ir import MVAU, VVAU

    layers: dict[str, dict[str, int | float | None]] = {}
    inside = cost.Resources()
    for node in graph:
        own = cost.node_resources(node, plan[node.name], graph)
        inside += own
        layers[node.name] = {"cycles": folding.node_cycles(node, plan[node.name], graph), **_sites(own.luts, own.brams, own.dsps)}
        if isinstance(node, MVAU | VVAU):
            layers[node.name]["macs"] = int(node.weights.size) * folding.vectors(node, graph)
    whole = cost.total(graph, plan)
    layers[FIFOS_AND_CONVERTERS] = _sites(whole.luts - inside.luts, whole.brams - inside.brams, whole.dsps - inside.dsps)
    total = {"interval_cycles": folding.interval_cycles(graph, plan), "latency_cycles": fifo.latency_cycles(graph, plan),
             **_sites(whole.luts, whole.brams, whole.dsps)}
    return _made("model", total, layers, ["LUTs of a 6-input architecture as Yosys counts them, with FIFOs of likely depths"])


def _finn(asked: _Asked) -> BackendEstimate:
    """FINN+'s own estimates of its own graph; its published formulas for our graph where FINN+ is missing or refuses."""
    from hw_flow import folding
    from hw_flow.backends.finn.estimate import estimate as ask

    try:
        found = ask(asked.model, asked.options, asked.graph, asked.plan, folding.interval_cycles(asked.graph, asked.plan))
    except FlowError as error:
        own = by_formula(asked.graph, asked.plan)
        why = f"FINN's published formulas for our graph, not a run of FINN+: {error}"
        return own.model_copy(update={"notes": [why, *own.notes]})
    return BackendEstimate(status="ok", source=found.source, total=found.total, layers=found.layers, notes=[
        "FINN+'s own estimates of its own graph, nodes under FINN's names; FIFOs and width converters are in none of them",
        "FINN's latency is the sum of all layers, which overlap makes shorter", *found.notes])


def by_formula(graph: Graph, plan: Folding) -> BackendEstimate:
    """FINN's published formulas: cycles of its nodes, LUTs and DSP blocks of its HLS matrix unit; latency as the sum."""
    from hw_flow import cost
    from hw_flow.cost.finn import SOURCE
    from hw_flow.ir import MVAU

    cycles = {node.name: _finn_cycles(node, plan[node.name], graph) for node in graph}
    units = {node.name: cost.of_node(node, plan[node.name], graph) for node in graph if isinstance(node, MVAU)}
    layers = {name: {"cycles": value, "luts": units[name].luts if name in units else None,
                     "dsp": units[name].dsps if name in units else None} for name, value in cycles.items()}
    known = [value for value in cycles.values() if value is not None]
    total: dict[str, int | float | None] = {
        "interval_cycles": max(known, default=None), "latency_cycles": sum(known) if len(known) == len(cycles) else None,
        "luts": sum(unit.luts for unit in units.values()), "dsp": sum(unit.dsps for unit in units.values())}
    notes = ["FIFOs and width converters are in none of the figures",
             f"LUTs and DSP blocks are those of MVAU_hls{_without([name for name in cycles if name not in units])}"]
    slow = [name for name, value in cycles.items() if value is None]
    if slow:
        notes.append(f"no latency, and an interval{_without(slow)}: the formulas used here have no cycles for them")
    else:
        notes.append("FINN's latency is the sum of all layers, which overlap makes shorter")
    return _made(SOURCE, total, layers, notes)


def _finn_cycles(node: Node, own: NodeFolding, graph: Graph) -> int | None:
    """``get_exp_cycles`` of FINN's node; None where its hardware differs too much from ours."""
    from hw_flow import folding
    from hw_flow.ir import MVAU, VVAU, Add, LabelSelect, Pool, Requantise, Thresholding

    if isinstance(node, Pool):
        return folding.node_cycles(node, replace(own, simd=1), graph)  # FINN's pools take one tap a cycle
    same = MVAU | VVAU | Add | LabelSelect | Requantise | Thresholding
    # The same product of folds as ours: (MH/PE) (MW/SIMD) vectors, channels/PE vectors, labels/PE.
    return folding.node_cycles(node, own, graph) if isinstance(node, same) else None


def _without(names: list[str]) -> str:
    """``, without A, B, C and 5 more``."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f", without {', '.join(names[:3])}{more}" if names else ""


def _hls4ml(asked: _Asked) -> BackendEstimate:
    """Cycles by hls4ml's reuse factors, chosen for as many multipliers as ``plan`` has; its refusal where it has no layer."""
    from hw_flow.backends.hls4ml.estimate import rows

    try:
        found = rows(asked.graph, asked.plan)
    except FlowError as error:
        return BackendEstimate(status="unavailable", reason=str(error))
    layers = {name: {"cycles": row.cycles, "macs": row.macs, "weights": row.weights} for name, row in found.items()}
    total = {"interval_cycles": max((row.cycles for row in found.values()), default=None)}
    factors = ", ".join(f"{name} {row.reuse_factor}" for name, row in list(found.items())[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return _made("model", total, layers, [
        f"reuse factors with at least the multipliers of this folding: {factors}{more}",
        "the interval is the least that reuse factors and positions allow; of three real csynth reports at reuse factors 1, 2 "
        "and 4 two have it and the third takes 7 cycles in place of 4", _NO_HLS4ML])


_BACKENDS: Mapping[str, Callable[[_Asked], BackendEstimate]] = {
    "rtl": lambda asked: by_model(asked.graph, asked.plan), "finn": _finn, "hls4ml": _hls4ml}


def _sites(luts: float, brams: float, dsps: float) -> dict[str, int | float | None]:
    return {"luts": round(luts), "bram18": round(brams), "dsp": round(dsps)}


def _made(source: str, total: Mapping[str, int | float | None], layers: Mapping[str, Mapping[str, int | float | None]],
          notes: list[str]) -> BackendEstimate:
    return BackendEstimate(status="ok", source=source, total=figures(total, source), notes=notes,
                           layers={name: figures(row, source) for name, row in layers.items()})
