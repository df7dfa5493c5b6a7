"""Several designs beside each other: absolute, as ratios to one of them, and as shares of a device.

A row holds figures of one metric at one stage (`hw_flow.synth.parsers.Stage`), so an estimate never stands in for a netlist.
Every figure keeps its source. Where the baseline has no figure of a row's stage, its nearest to hardware is the reference; such a
ratio, like any between figures of different sources, is marked `mixed`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.report import align, devices
from hw_flow.report.compare_schema import Cell, Column, Comparison, LayerRow, LayerTable, Row, SubjectInfo
from hw_flow.report.devices import Device
from hw_flow.report.folder import Subject
from hw_flow.report.names import short_names
from hw_flow.report.schema import Figure
from hw_flow.report.subjects import read as read_subject
from hw_flow.synth.parsers import STAGES, UNITS, Stage, ToolReport

__all__ = ["LAYER_METRICS", "Comparison", "compare", "of_subjects"]

LAYER_METRICS = ("luts", "cycles")
# Of no use beside each other: what a design is asked for, not what it costs.
_NOT_COMPARED = ("clock_mhz", "whs_ns", "tns_ns", "latency_min_cycles")
_MOST = 16


def compare(
    paths: Sequence[str | Path], *, baseline: str | None = None, device: str | None = None, target: str | None = None,
    layers: Iterable[str] = LAYER_METRICS,
) -> Comparison:
    """Compare builds, project folders of other tools and report files.

    Parameters
    ----------
    baseline : path or name of the one that ratios refer to; None takes the first.
    device : part of the table in `hw_flow.report.devices`, for percentages.
    target : which synthesis of our own builds to take.
    layers : metrics to compare layer by layer.

    Raises
    ------
    FlowError : fewer than one path or too many, none of these names the baseline, unknown device or metric, unreadable report.
    """
    wanted = [Path(path) for path in paths]
    if not 1 <= len(wanted) <= _MOST:
        raise FlowError(f"compare takes 1 to {_MOST} builds, folders or report files, not {len(wanted)}")
    metrics = list(dict.fromkeys(layers))
    for metric in metrics:
        if metric not in UNITS:
            raise FlowError(f"metric '{metric}' is not known; choose of {', '.join(UNITS)}")
    part = devices.find(device) if device is not None else None
    subjects = [read_subject(path, name=name, target=target) for path, name in zip(wanted, short_names(wanted), strict=True)]
    return of_subjects(subjects, baseline=_baseline(subjects, baseline), device=part, layers=metrics)


def of_subjects(subjects: Sequence[Subject], *, baseline: int = 0, device: Device | None = None,
                layers: Iterable[str] = LAYER_METRICS) -> Comparison:
    """The comparison of subjects that are read."""
    tables = [table for metric in layers if (table := _layers(subjects, metric, baseline, device)) is not None]
    totals = _totals(subjects, baseline, device)
    return Comparison(
        subjects=[SubjectInfo(name=subject.name, path=str(subject.path), kind=subject.kind, notes=list(subject.notes))
                  for subject in subjects],
        baseline=baseline, device=device.name if device is not None else None, totals=totals, layers=tables,
        notes=_notes(subjects, totals, device))


def _baseline(subjects: Sequence[Subject], wanted: str | None) -> int:
    if wanted is None:
        return 0
    for index, subject in enumerate(subjects):
        if wanted in (subject.name, str(subject.path)) or Path(wanted).resolve() == subject.path.resolve():
            return index
    raise FlowError(f"baseline '{wanted}' is none of those compared: {', '.join(subject.name for subject in subjects)}")


def _totals(subjects: Sequence[Subject], baseline: int, device: Device | None) -> list[Row]:
    rows = []
    for metric in UNITS:
        for stage in STAGES:
            found = [subject.at(stage) for subject in subjects]
            if metric in _NOT_COMPARED or not any(report is not None and metric in report.total for report in found):
                continue
            reference = _reference(subjects[baseline], metric, stage)
            cells = [_cell(report.total[metric], report, reference if index != baseline else None, device, metric)
                     if report is not None and metric in report.total else None for index, report in enumerate(found)]
            rows.append(Row(metric=metric, stage=stage, cells=cells))
    return rows


def _reference(subject: Subject, metric: str, stage: Stage) -> tuple[Figure, ToolReport] | None:
    """The baseline's figure at this stage, or else its nearest to hardware."""
    having = [report for report in subject.reports if metric in report.total]
    same = [report for report in having if report.stage == stage]
    chosen = next(iter(same or having[-1:]), None)
    return (chosen.total[metric], chosen) if chosen is not None else None


def _cell(figure: Figure, report: ToolReport, reference: tuple[Figure, ToolReport] | None, device: Device | None,
          metric: str) -> Cell:
    ratio, mixed = None, False
    if reference is not None and reference[0].value:
        ratio = figure.value / reference[0].value
        mixed = (figure.source, report.stage) != (reference[0].source, reference[1].stage) or (
            devices.family_of(report.part, figure.source) != devices.family_of(reference[1].part, reference[0].source))
    return Cell(value=figure.value, unit=figure.unit, source=figure.source, target=report.part, ratio=ratio, mixed=mixed,
                percent=_percent(figure, report, device, metric))


def _percent(figure: Figure, report: ToolReport, device: Device | None, metric: str) -> float | None:
    if device is None or not device.capacity.get(metric) or devices.family_of(report.part, figure.source) != device.family:
        return None
    return 100 * figure.value / device.capacity[metric]


def _layers(subjects: Sequence[Subject], metric: str, baseline: int, device: Device | None) -> LayerTable | None:
    columns: list[tuple[Column, ToolReport, dict[str, Figure]]] = []
    for index, subject in enumerate(subjects):
        for report in subject.reports:
            sums = _summed(report, metric)
            if sums:
                source = next(iter(sums.values())).source
                columns.append((Column(subject=index, stage=report.stage, source=source, target=report.part), report, sums))
    if not columns:
        return None
    # Alone, a design is set against its own figures nearest to hardware: how good the estimates are.
    mine = [place for place, (column, _, _) in enumerate(columns) if column.subject == baseline]
    first = 0 if not mine else mine[0] if len(subjects) > 1 else mine[-1]
    # A report of an estimate lists layers in the order of the network; netlists do in that of the alphabet.
    listed = dict.fromkeys(name for _, _, sums in sorted(columns, key=lambda item: STAGES.index(item[0].stage)) for name in sums)
    layers = [name for name in listed if name not in align.GROUPS]
    groups = [name for name in align.GROUPS if name in listed]
    rows = []
    for name in (*layers, *groups):
        cells: list[Cell | None] = []
        for place, (column, report, sums) in enumerate(columns):
            other = first if len(subjects) == 1 else next((at for at in mine if columns[at][0].stage == column.stage), first)
            reference = (columns[other][2][name], columns[other][1]) if name in columns[other][2] and other != place else None
            cells.append(_cell(sums[name], report, reference, device, metric) if name in sums else None)
        rows.append(LayerRow(name=name, cells=cells))
    return LayerTable(metric=metric, columns=[column for column, _, _ in columns], baseline=first, rows=rows)


def _summed(report: ToolReport, metric: str) -> dict[str, Figure]:
    """Figures by aligned layer, those of one key put together."""
    named, found = align.keys(report), dict[str, Figure]()
    for name, row in report.layers.items():
        if metric in row:
            key, own = named[name], row[metric]
            # Resources add up; what takes time runs beside the others.
            together = max if own.unit in ("cycles", "MHz", "ns", "beats") else operator.add
            found[key] = own.model_copy(update={"value": together(found[key].value, own.value)}) if key in found else own
    return found


def _notes(subjects: Sequence[Subject], totals: Iterable[Row], device: Device | None) -> list[str]:
    notes = []
    if any(cell is not None and cell.mixed for row in totals for cell in row.cells):
        notes.append("ratios marked * are between figures of different sources, stages or device families")
    if device is not None:
        sites = ", ".join(f"{value:,} {UNITS[name]}" for name, value in device.capacity.items() if value)
        notes.append(f"{device.name} has {sites} ({device.document})")
        if any(cell is not None and row.metric in device.capacity and cell.percent is None and device.capacity[row.metric]
               for row in totals for cell in row.cells):
            notes.append(f"figures made for other families are not set against {device.name}")
    kinds = {subject.kind for subject in subjects if any(report.layers for report in subject.reports)}
    if len(kinds) > 1:
        notes.append("layers of different tools are matched by kind and number, which is right for projects of one network only")
    return notes
