"""What a user names to be compared: a build, a project folder of another tool, or one report file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hw_flow.errors import FlowError
from hw_flow.report.align import hls4ml_kind
from hw_flow.report.folder import Subject, read_folder
from hw_flow.report.schema import Figure, Layer, Report
from hw_flow.synth.parsers import STAGES, UNITS, Part, Stage, ToolReport, parse

if TYPE_CHECKING:
    from hw_flow.backends import Build

_STAGES: Mapping[str, Stage] = {
    "model": "estimate", "finn": "estimate", "vitis_hls": "hls", "vivado_hls": "hls", "oneapi": "hls", "verilator": "simulation",
    "vivado": "routed", "quartus": "routed", "nextpnr": "routed", "openroad": "routed",
}


def read(path: Path, *, name: str | None = None, target: str | None = None) -> Subject:
    """The subject that ``path`` names.

    Parameters
    ----------
    target : which synthesis of a build to take; None takes the first.

    Raises
    ------
    FlowError : nothing there, no report in a folder, a file of no known format.
    """
    if path.is_dir():
        if (path / "build.json").is_file():
            return _build(path, name or path.name, target)
        return read_folder(path, name or path.resolve().name)
    if not path.exists():
        raise FlowError(f"{path}: does not exist; give a build, a folder of reports or a report file")
    if path.name == "report.json" and _is_ours(path):
        return of_report(Report.load(path.parent), path, name or path.resolve().parent.name, target)
    found = parse(path)
    return Subject(name or path.name, path, "file", (found,), found.notes)


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"schema_version"' in file.read(200)
    except OSError as error:
        raise FlowError(f"{path}: cannot read the report ({error.strerror}); check its permissions") from error


def of_report(report: Report, path: Path, name: str, target: str | None = None) -> Subject:
    """One of our own builds: what was predicted, synthesised and simulated, each at the stage of who says it."""
    predicted = {name.removesuffix("_estimate"): figure for name, figure in report.performance.items()
                 if name.endswith("_estimate")}
    layers = {layer.name: _with_cycles(_some(layer.figures, "cycles", "macs"), layer) for layer in report.layers}
    slowest = [row["cycles"] for row in layers.values() if "cycles" in row]
    if report.backend == "hls4ml" and slowest and "interval_cycles" not in predicted:
        predicted["interval_cycles"] = max(slowest, key=lambda figure: figure.value)
    parts, order = {layer.name: _part(layer) for layer in report.layers}, tuple(layers)
    found = [ToolReport(format="bitwright", source="model", stage="estimate", design=report.name, total=predicted, layers=layers,
                        parts=parts, order=order)]
    notes = []
    if report.backend == "hls4ml" and not report.resources:
        notes.append("no HLS compiler has run: cycles are the least that the reuse factors allow, LUTs are not known")
    if report.resources:
        if target is not None and target not in report.resources:
            raise FlowError(f"{path}: not synthesised for '{target}', only for {', '.join(report.resources)}; "
                            f"run `bitwright synth {path} --target {target}`")
        chosen = report.resources[target] if target is not None else next(iter(report.resources.values()))
        others = [other for other in report.resources if other != chosen.target]
        if others:
            notes.append(f"synthesised for {', '.join(others)} too; --target takes one of them instead of {chosen.target}")
        source = _source(chosen.total)
        found.append(ToolReport(
            format="bitwright", source=source, stage=_stage(source), design=report.name, part=chosen.target, total=chosen.total,
            layers=chosen.layers, kinds=chosen.kinds, parts=parts, order=order))
    measured = {key: figure for key, figure in report.performance.items()
                if key in UNITS and _stage(figure.source) not in {own.stage for own in found}}
    if measured:
        source = _source(measured)
        found.append(ToolReport(
            format="bitwright", source=source, stage=_stage(source), design=report.name, total=measured))
    return Subject(name, path, "build", tuple(sorted(found, key=lambda own: STAGES.index(own.stage))), tuple(notes))


def _with_cycles(figures: dict[str, Figure], layer: Layer) -> dict[str, Figure]:
    """``figures`` with the cycles that hls4ml's reuse factor takes at least, see `hw_flow.backends.hls4ml.estimate`."""
    multipliers = layer.figures.get("multipliers")
    if "cycles" in figures or "macs" not in figures or multipliers is None or not multipliers.value:
        return figures
    least = math.ceil(figures["macs"].value / multipliers.value)
    return {**figures, "cycles": Figure(value=least, unit="cycles", source="model")}


def _part(layer: Layer) -> Part:
    """What our report says of a layer; hls4ml's layers have hls4ml's kinds there."""
    first, second = (("MW", "MH") if "MW" in layer.folding else ("taps", "channels"))
    inputs, outputs = layer.folding.get(first), layer.folding.get(second)
    matrix = (inputs, outputs) if isinstance(inputs, int) and isinstance(outputs, int) else None
    return Part(kind=hls4ml_kind(layer.kind), matrix=matrix)


def _build(path: Path, name: str, target: str | None) -> Subject:
    from hw_flow import backends
    from hw_flow.backends import Build

    stamp = backends.stamp_of(path)
    build = Build(path, str(stamp["backend"]), stamp, reused=True)
    ours = of_report(backends.get(build.backend).report(build), path, name, target)
    if build.backend == "rtl":
        return _with_model(ours, build)
    project = path / build.backend  # what FINN and hls4ml made lies there, with their own reports
    if not project.is_dir():
        return ours
    try:
        theirs = _with_nodes(read_folder(project, name), stamp.get("nodes", ()))
    except FlowError:
        return ours  # nothing reported yet

    # FINN's own estimate is the one of a FINN build.
    def chosen(stage: Stage) -> ToolReport | None:
        first, second = (theirs, ours) if stage == "estimate" else (ours, theirs)
        return first.at(stage) or second.at(stage)

    reports = tuple(own for stage in STAGES if (own := chosen(stage)) is not None)
    return Subject(name, path, "build", reports, (*ours.notes, *theirs.notes))


def _with_nodes(subject: Subject, nodes: object) -> Subject:
    """``subject`` with the names that FINN's nodes have in the graph imported from FINN's, as the build's stamp lists them."""
    listed = [node for node in nodes if isinstance(node, Mapping)] if isinstance(nodes, Sequence) else []
    ours = {node.get("finn"): own for node in listed if isinstance(own := node.get("node"), str)}

    def named(own: ToolReport) -> ToolReport:
        known = {name: Part(names=(ours[name],)) for name in own.layers if name in ours}
        return replace(own, parts={**own.parts, **known})

    return replace(subject, reports=tuple(named(own) for own in subject.reports))


def _with_model(subject: Subject, build: Build) -> Subject:
    """``subject`` with the LUTs, block RAMs and DSP blocks that our model gives its nodes, which its report does not hold."""
    from hw_flow.report.estimate import by_model

    model = by_model(build.graph, build.folding)

    def filled(own: ToolReport) -> ToolReport:
        layers = {name: {**row, **own.layers.get(name, {})} for name, row in model.layers.items()}
        return replace(own, total={**model.total, **own.total}, layers=layers)

    return replace(subject, reports=tuple(filled(own) if own.stage == "estimate" else own for own in subject.reports))


def _stage(source: str) -> Stage:
    """The stage of figures in a report of ours, which names their source only."""
    return _STAGES.get(source.partition("-")[0], "synthesis")


def _some(figures: Mapping[str, Figure], *names: str) -> dict[str, Figure]:
    return {name: figures[name] for name in names if name in figures}


def _source(figures: Mapping[str, Figure]) -> str:
    return next(iter(figures.values())).source
