"""The report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hw_flow.report.schema import KIND_LABELS, Figure, Report, Resources

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from hw_flow.backends.sizing import FifoSizing

_SHOWN = ("luts", "ff", "carry", "lutram", "srl", "bram18", "ebr", "uram", "spram", "dsp", "gates", "area")


def show(report: Report, console: Console) -> None:
    """Print ``report``: layers, totals, performance, verification, notes. Every column names its source."""
    console.print(f"[bold]{report.name}[/bold] ({report.model_file}, back end {report.backend})", highlight=False)
    console.print(_layers(report) if all("cycles" in layer.figures for layer in report.layers) else _types(report))
    for name, figure in {**report.performance, **report.accuracy}.items():
        console.print(f"  {name.replace('_', ' ')}: {number(figure)}  [dim]{figure.source}[/dim]", highlight=False)
    if report.verification is not None:
        _verification(report, console)
    for line in host_lines([op.model_dump() for op in report.host_ops]):
        console.print(f"  {line}", highlight=False, style="dim", soft_wrap=True)
    if report.seconds:
        spent = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.seconds.items())
        console.print(f"  seconds: {spent}", highlight=False, style="dim", soft_wrap=True)


def number(figure: Figure) -> str:
    """``1,234 cycles``; a plain count has no unit."""
    value = f"{figure.value:,}" if isinstance(figure.value, int) else f"{figure.value:,.6g}"
    return value if figure.unit == "1" else f"{value} {figure.unit}"


def host_lines(ops: Iterable[Mapping[str, str]]) -> list[str]:
    """What stays on the host, a line for each side of the accelerator and reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for op in ops:
        groups.setdefault((op["side"], op["reason"]), []).append(op["name"])
    return [f"on the host {side} the accelerator: {', '.join(names)} ({reason})" for (side, reason), names in groups.items()]


def _layers(report: Report) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.caption, table.caption_justify = _sources(report), "left"
    table.add_column("layer", no_wrap=True)
    for title in ("w x a", "PE", "SIMD", "cycles"):
        table.add_column(title, justify="right", no_wrap=True)
    columns = [(resources, name) for resources in report.resources.values() for name in _SHOWN if _worth_showing(resources, name)]
    several = len(report.resources) > 1
    for resources, name in columns:
        table.add_column(f"{resources.target}\n{name}" if several else name, justify="right", no_wrap=True)
    for layer in report.layers:
        folded = layer.folding
        types = f"{_short(folded['weights'])} x {_short(folded['activations'])}" if "weights" in folded else ""
        table.add_row(layer.name, types, str(folded["PE"]), str(folded.get("SIMD", "")), number_only(layer.figures["cycles"]),
                      *(_cell(resources.layers.get(layer.name, {}), name) for resources, name in columns))
    for kind in _other_kinds(report):
        table.add_row(KIND_LABELS.get(kind, kind), "", "", "", "", *(_sum(resources, kind, name) for resources, name in columns))
    if columns:
        table.add_section()
        table.add_row("total", "", "", "", "", *(_cell(resources.total, name) for resources, name in columns), style="bold")
    return table


def _types(report: Report) -> Table:
    """Layers of an HLS project: what each computes in, how it shares multipliers, what the vendor's tool says of it."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("layer", "kind", "weights", "accumulator", "result", "strategy", "reuse", "multipliers"):
        table.add_column(title, justify="right" if title in ("reuse", "multipliers") else "left", no_wrap=True)
    columns = [(resources, name) for resources in report.resources.values() for name in _SHOWN if _worth_showing(resources, name)]
    for resources, name in columns:
        table.add_column(f"{resources.target}\n{name}", justify="right", no_wrap=True)
    for layer in report.layers:
        own, shared = layer.folding, layer.figures.get("multipliers")
        table.add_row(layer.name, layer.kind, *(str(own.get(key, "")) for key in (
            "weight" if "weight" in own else "scale", "accum", "result", "strategy", "reuse_factor")),
            number_only(shared) if shared is not None else "",
            *(_cell(resources.layers.get(layer.name, {}), name) for resources, name in columns))
    if columns:
        table.add_section()
        table.add_row("total", *[""] * 7, *(_cell(resources.total, name) for resources, name in columns), style="bold")
        table.caption, table.caption_justify = _totals(report), "left"
    return table


def _totals(report: Report) -> str:
    return "; ".join(f"{name}: {next(iter(resources.total.values())).source}" for name, resources in report.resources.items())


def _short(dtype: int | str) -> str:
    """Bits of a type as the literature writes them: 1 for BIPOLAR, T for TERNARY, 4 for INT4 and UINT4."""
    return {"BIPOLAR": "1", "TERNARY": "T"}.get(str(dtype), str(dtype).lstrip("UINT"))


def _sources(report: Report) -> str:
    """Where the columns come from, in one line."""
    parts = [f"cycles: {report.layers[0].figures['cycles'].source}"] if report.layers else []
    return "; ".join([*parts, *([_totals(report)] if report.resources else [])])


def number_only(figure: Figure) -> str:
    """The value with thousands separated, without its unit."""
    return f"{figure.value:,}" if isinstance(figure.value, int) else f"{figure.value:,.6g}"


def _worth_showing(resources: Resources, name: str) -> bool:
    if name not in resources.total:
        return False
    rows = (resources.total, *resources.layers.values())
    return name in ("luts", "ff", "gates") or any(row[name].value for row in rows if name in row)


def _other_kinds(report: Report) -> list[str]:
    """Kinds of what is no node: FIFOs, converters."""
    nodes = {layer.name for layer in report.layers}
    pairs = (pair for resources in report.resources.values() for pair in resources.kinds.items())
    return sorted({kind for name, kind in pairs if name not in nodes})


def _cell(figures: dict[str, Figure], name: str) -> str:
    return number_only(figures[name]) if name in figures else "-"


def _sum(resources: Resources, kind: str, name: str) -> str:
    rows = (row for layer, row in resources.layers.items() if resources.kinds[layer] == kind)
    values = [row[name].value for row in rows if name in row]
    return f"{sum(values):,}" if values else "-"


def _verification(report: Report, console: Console) -> None:
    outcome = report.verification
    assert outcome is not None
    verdict = f"[green]bit-exact[/green] over {outcome.samples:,} samples" if outcome.bit_exact else (
        f"{outcome.mismatches:,} of {outcome.samples:,} samples [red]differ[/red], first at {outcome.first_mismatch}")
    ties = f", {outcome.ties} ties" if outcome.ties else ""
    stalled = ""
    if outcome.stalled_pass is not None:
        stalled = ", stalled pass equal" if outcome.stalled_pass else ", stalled pass [red]differs[/red]"
    console.print(f"  {verdict}{ties}{stalled}", highlight=False)
    if outcome.decisions_agree is not None:
        agree = f"{outcome.decisions_agree:,} of {outcome.samples:,}"
        console.print(f"  decisions agree with QONNX execution in {agree} samples", highlight=False)


def resources_table(resources: Resources) -> Table:
    """One synthesis: a row per layer, the total last."""
    from rich.table import Table

    names = [name for name in _SHOWN if _worth_showing(resources, name)]
    source = next(iter(resources.total.values())).source
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), title=f"{resources.target}, {source}")
    table.add_column("layer")
    for name in names:
        table.add_column(name, justify="right")
    for layer, row in resources.layers.items():
        table.add_row(layer, *(_cell(row, name) for name in names))
    table.add_section()
    table.add_row("total", *(_cell(resources.total, name) for name in names), style="bold")
    if resources.flat is not None:
        table.add_row("flat", *(_cell(resources.flat, name) for name in names))
    return table


def fifo_table(sizing: FifoSizing) -> Table:
    """FIFOs of a build before and after they were measured, and by FINN's rule."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("FIFO", overflow="fold")
    for title in ("bits a beat", "beats, model", "beats, measured", "bits", "bits, FINN's rule"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, each in sizing.fifos.items():
        counts = each.width, each.before, each.after, each.after * each.width, each.finn_bits
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table
