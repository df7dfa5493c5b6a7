"""The reports in a folder, put together: which are of one design, and which are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.report.hls4ml_layers import with_layers
from hw_flow.report.schema import Figure
from hw_flow.synth.parsers import STAGES, Stage, ToolReport, parse

_SUFFIXES = (".rpt", ".xml", ".json", ".ndjson", ".xtxt", ".gz")
# Report folders are small; a folder of more files than this is not one, and walking it would take long.
_MOST_FILES, _DEEPEST = 5000, 8
# Among reports of one stage that give the same metric: the accelerator alone before the whole device.
_FIRST = ("vpp-kernel-utilisation", "finn-out-of-context", "vivado-hierarchy", "vivado-hierarchy-xml", "finn-post-synthesis",
          "vivado-utilisation")
# Sources of figures that no other report of their stage gives.
_COMPANIONS = ("finn-fifo-sizing", "wall-clock")


@dataclass(frozen=True)
class Subject:
    """One thing compared.

    Attributes
    ----------
    name : a short label, unique among those compared.
    path : what the user named.
    kind : ``build``, ``finn``, ``hls4ml``, ``folder`` or ``file``.
    reports : at most one a stage, in the order of the stages.
    notes : what was left out or guessed, one sentence each.
    """

    name: str
    path: Path
    kind: str
    reports: tuple[ToolReport, ...]
    notes: tuple[str, ...] = ()

    def at(self, stage: Stage) -> ToolReport | None:
        """The report of ``stage``, if there is one."""
        return next((report for report in self.reports if report.stage == stage), None)


def read_folder(path: Path, name: str) -> Subject:
    """All reports in a folder, put together by stage.

    Raises
    ------
    FlowError : there is none, or the folder is too large to be one of reports.
    """
    found: list[tuple[Path, ToolReport]] = []
    notes = []
    for file in _files(path):
        try:
            found.append((file, with_layers(parse(file), file, path)))
        except FlowError as error:
            # Most files of a project are no reports; one that is damaged must not vanish.
            if "damaged or cut off" in str(error) or "cannot read" in str(error):
                notes.append(str(error))
    if not found:
        why = f"; {notes[0]}" if notes else ""
        raise FlowError(f"{path}: no report of a known format in it{why}; the table in docs/reports.md names the files")
    found, told = _with_versions(found)
    tops, left = _tops(found)
    reports = []
    for stage in STAGES:
        merged, dropped = _merged(path, [(file, report) for file, report in tops if report.stage == stage])
        if merged is not None:
            reports.append(merged)
        left += dropped
    return Subject(name, path, _kind(path, found), tuple(reports), (*notes, *told, *left))


def _files(path: Path) -> Iterator[Path]:
    seen = 0
    pending = [(path, 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise FlowError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error
        for entry in entries:
            seen += 1
            if seen > _MOST_FILES:
                raise FlowError(f"{path}: more than {_MOST_FILES:,} files; give the folder that holds the reports")
            if entry.is_symlink():
                continue
            if entry.is_dir():
                if depth < _DEEPEST:
                    pending.append((entry, depth + 1))
            elif entry.suffix in _SUFFIXES:
                yield entry


def _kind(path: Path, found: list[tuple[Path, ToolReport]]) -> str:
    if (path / "hls4ml_config.yml").is_file():
        return "hls4ml"
    return "finn" if any(report.format.startswith("finn-") for _, report in found) else "folder"


def _with_versions(found: list[tuple[Path, ToolReport]]) -> tuple[list[tuple[Path, ToolReport]], list[str]]:
    """FINN's files state no version: that of the one version of the tool that the folder names is taken."""
    known: dict[str, set[str]] = {}
    for _, report in found:
        tool, _, version = report.source.rpartition("-")
        if version != "unknown":
            known.setdefault(tool, set()).add(report.source)
    result, told = [], []
    for file, report in found:
        tool, _, version = report.source.rpartition("-")
        if version == "unknown" and len(known.get(tool, ())) == 1:
            source = next(iter(known[tool]))
            told.append(f"{file.name} states no version: {source} taken from the reports beside it")
            result.append((file, _renamed(report, source)))
        else:
            result.append((file, report))
    return result, told


def _renamed(report: ToolReport, source: str) -> ToolReport:
    def with_source(figures: dict[str, Figure]) -> dict[str, Figure]:
        return {name: figure.model_copy(update={"source": source}) for name, figure in figures.items()}

    return replace(report, source=source, total=with_source(dict(report.total)),
                   layers={name: with_source(dict(row)) for name, row in report.layers.items()})


def _tops(found: list[tuple[Path, ToolReport]]) -> tuple[list[tuple[Path, ToolReport]], list[str]]:
    """Without reports of functions that another report of the same stage has inside."""
    def inner(report: ToolReport) -> bool:
        return bool(report.design) and any(
            other.stage == report.stage and report.design != other.design and report.design in other.inside for _, other in found)

    left = [file.name for file, report in found if inner(report)]
    note = [f"{len(left)} reports of functions inside the top left out ({', '.join(left[:3])}{', ...' if len(left) > 3 else ''})"]
    return [(file, report) for file, report in found if not inner(report)], note if left else []


def _merged(path: Path, found: list[tuple[Path, ToolReport]]) -> tuple[ToolReport | None, list[str]]:
    """One report of all that are of one design, tool and scope; the others are left out, and told of."""
    if not found:
        return None, []
    found = sorted(found, key=lambda pair: _FIRST.index(pair[1].format) if pair[1].format in _FIRST else len(_FIRST))
    merged, notes = found[0][1], [*found[0][1].notes]
    for file, report in found[1:]:
        why = _apart(merged, report)
        if why is not None:
            notes.append(f"{file.relative_to(path)} left out: {why}")
            continue
        notes += (note for note in report.notes if note not in notes)
        layers = {layer: {**report.layers.get(layer, {}), **merged.layers.get(layer, {})}
                  for layer in dict.fromkeys((*merged.layers, *report.layers))} if _same(merged, report) else merged.layers
        merged = replace(
            merged, design=merged.design or report.design, part=merged.part or report.part, layers=layers,
            parts={**report.parts, **merged.parts}, order=max(merged.order, report.order, key=len),
            total={**report.total, **merged.total}, capacity={**report.capacity, **merged.capacity})
    return merged, notes


def _apart(merged: ToolReport, report: ToolReport) -> str | None:
    """Why two reports of a stage are not of one design in one scope; None if nothing speaks against it."""
    for what, mine, its in (("design", merged.design, report.design), ("part", _plain(merged.part), _plain(report.part))):
        if mine and its and not (what == "part" and (mine.startswith(its) or its.startswith(mine))) and mine != its:
            return f"it is of {what} '{its}', not of '{mine}'"
    if merged.source != report.source and not {merged.source, report.source} & set(_COMPANIONS):
        return f"it is from {report.source}, not from {merged.source}"
    for metric, figure in report.total.items():
        if metric in merged.total and merged.total[metric].value != figure.value:
            return f"{metric} is {figure.value:,} there, {merged.total[metric].value:,} is taken"
    return None


def _plain(part: str) -> str:
    return part.lower().removeprefix("xc").replace("-", "")


def _same(first: ToolReport, second: ToolReport) -> bool:
    """Whether layers of both go into one table: one names none, or they share names."""
    return not first.layers or not second.layers or bool(first.layers.keys() & second.layers.keys())
