"""Several designs beside each other: absolute, as ratios to one of them, and as shares of a device.

A row holds figures of one metric at one stage (`hw_flow.synth.parsers.Stage`), so an estimate never stands in for a netlist.
Every figure keeps its source. Where the baseline has no figure of a row's stage, its nearest to hardware is the reference; such a
ratio, like any between figures of different sources, is marked `mixed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.report import align, devices
from hw_flow.report.align import Aligned
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
_NOT_COMPARED = ("cycles", "clock_mhz", "whs_ns", "tns_ns", "latency_min_cycles")
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
    aligned = _aligned(subjects, baseline)
    tables = [table for metric in layers if (table := _layers(subjects, aligned, metric, baseline, device)) is not None]
    totals = _totals(subjects, baseline, device)
    return Comparison(
        subjects=[SubjectInfo(name=subject.name, path=str(subject.path), kind=subject.kind, notes=list(subject.notes))
                  for subject in subjects],
        baseline=baseline, device=device.name if device is not None else None, totals=totals, layers=tables,
        notes=[*_notes(totals, device), *_alone(subjects, tables)])


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


def _layers(subjects: Sequence[Subject], aligned: Sequence[Aligned], metric: str, baseline: int,
            device: Device | None) -> LayerTable | None:
    reports = _reports(subjects)
    places = [place for place in range(len(reports)) if any(_has(row, place, metric) for row in aligned)]
    if not places:
        return None
    columns = [Column(subject=reports[place][0], stage=reports[place][1].stage, source=_source(aligned, place, metric),
                      target=reports[place][1].part) for place in places]
    # Alone, a design is set against its own figures nearest to hardware: how good the estimates are.
    mine = [at for at, column in enumerate(columns) if column.subject == baseline]
    first = 0 if not mine else mine[0] if len(subjects) > 1 else mine[-1]
    rows = []
    for row in aligned:
        own = [row.units[place].figures[metric] if _has(row, place, metric) else None for place in places]
        if all(figure is None for figure in own):
            continue
        cells: list[Cell | None] = []
        for at, figure in enumerate(own):
            other = first if len(subjects) == 1 else next((one for one in mine if columns[one].stage == columns[at].stage), first)
            base = own[other]
            reference = (base, reports[places[other]][1]) if base is not None and other != at else None
            cells.append(_cell(figure, reports[places[at]][1], reference, device, metric) if figure is not None else None)
        rows.append(LayerRow(
            name=row.name, cells=cells, names=[row.units[place].name if place in row.units else None for place in places],
            evidence=[row.evidence.get(place) for place in places]))
    return LayerTable(metric=metric, columns=columns, baseline=first, rows=rows)


def _reports(subjects: Sequence[Subject]) -> list[tuple[int, ToolReport]]:
    return [(index, report) for index, subject in enumerate(subjects) for report in subject.reports]


def _aligned(subjects: Sequence[Subject], baseline: int) -> list[Aligned]:
    """Layers of all reports, those of the baseline first; reports keep their places in `_reports`."""
    reports = _reports(subjects)
    # A project is easiest to set in line by the reports that know the order of the network.
    turn = sorted(range(len(reports)), key=lambda at: (reports[at][0] != baseline, reports[at][0], not reports[at][1].order))
    rows = align.align([reports[at] for at in turn])
    named = Counter(row.name for row in rows)
    for row in rows:
        row.units = {turn[at]: unit for at, unit in row.units.items()}
        row.evidence = {turn[at]: why for at, why in row.evidence.items()}
        if named[row.name] > 1:
            row.name = f"{row.name} of {subjects[reports[min(row.units)][0]].name}"
    return rows


def _has(row: Aligned, place: int, metric: str) -> bool:
    return place in row.units and metric in row.units[place].figures


def _source(aligned: Sequence[Aligned], place: int, metric: str) -> str:
    return next(row.units[place].figures[metric].source for row in aligned if _has(row, place, metric))


def _notes(totals: Iterable[Row], device: Device | None) -> list[str]:
    notes = []
    if any(cell is not None and cell.mixed for row in totals for cell in row.cells):
        notes.append("ratios marked * are between figures of different sources, stages or device families")
    if device is not None:
        sites = ", ".join(f"{value:,} {UNITS[name]}" for name, value in device.capacity.items() if value)
        notes.append(f"{device.name} has {sites} ({device.document})")
        if any(cell is not None and row.metric in device.capacity and cell.percent is None and device.capacity[row.metric]
               for row in totals for cell in row.cells):
            notes.append(f"figures made for other families are not set against {device.name}")
    return notes


def _alone(subjects: Sequence[Subject], tables: Sequence[LayerTable]) -> list[str]:
    """What a reader must know of the alignment of layers."""
    lines = [(table, row) for table in tables for row in table.rows if row.name not in align.GROUPS]
    notes = []
    if any("order" in row.evidence for _, row in lines):
        notes.append("layers marked ~ are set beside each other by kind and order alone: right only for projects of one network")
    alone: dict[int, dict[str, None]] = {}
    for table, row in lines:
        owner = row.only(table)
        if owner is not None:
            alone.setdefault(owner, {})[row.name] = None
    for owner, names in alone.items():
        shown = f"{', '.join(list(names)[:4])}{', ...' if len(names) > 4 else ''}"
        notes.append(f"layers of {subjects[owner].name} without an evident counterpart: {len(names)} ({shown})")
    return notes
