"""What FINN+ itself estimates for a model at a given folding: its hardware graph, without any code of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw_flow.backends.directory import BuildOptions, build_key, read_input, top_name
from hw_flow.backends.finn.environment import PACKAGE, check_environment
from hw_flow.backends.finn.process import LOG, run_inside
from hw_flow.backends.finn.request import Request
from hw_flow.backends.finn.settings import FinnSettings
from hw_flow.errors import FlowError
from hw_flow.report.schema import Figure
from hw_flow.storage import cache_dir, digest, read_json, write_json
from hw_flow.synth.parsers import ToolReport, parse

if TYPE_CHECKING:
    from hw_flow.folding import Folding
    from hw_flow.ir import Graph, Node

# Of a conversion that should take seconds.
_TIMEOUT_S = 300.0
_NOTES = "notes.json"
_REPORTS = ("estimate_layer_cycles.json", "estimate_layer_resources.json", "op_and_param_counts.json",
            "estimate_network_performance.json")


@dataclass(frozen=True)
class FinnEstimate:
    """FINN's figures of the whole and of each of its nodes, in the order of its graph, and what to know of them."""

    source: str
    total: dict[str, Figure]
    layers: dict[str, dict[str, Figure]]
    notes: tuple[str, ...]


def estimate(model: Path, options: BuildOptions, graph: Graph, plan: Folding, interval: int) -> FinnEstimate:
    """Convert ``model`` with FINN+, fold it as ``plan`` folds ``graph``, and read its estimates.

    Parameters
    ----------
    interval : cycles a frame that FINN folds for where its nodes correspond to none of ours.

    Raises
    ------
    FlowError : FINN+ is missing or another version, or it refuses the model; its own error in one line.
    """
    version = check_environment()
    wanted = json.dumps([_entry(node, plan) for node in graph])
    key = digest((build_key("finn", model, read_input(model, "model"), options), version, wanted, str(interval)))
    kept = cache_dir("finn") / f"estimate-{key[:32]}"
    log = kept.parent / "estimate.log"  # of the last one that failed
    if not (kept / _NOTES).is_file():
        with tempfile.TemporaryDirectory(prefix=".estimate-", dir=kept.parent) as scratch:
            folder = Path(scratch)
            request = _request(model, folder, options, interval)
            request.save(folder / "request.json")
            (folder / "wanted.json").write_text(wanted, encoding="utf-8")
            try:
                answer = run_inside("estimate", folder / "request.json", timeout_s=_TIMEOUT_S, what=str(model), shown=log)
            except FlowError:
                with suppress(OSError):
                    (folder / LOG).replace(log)
                raise
            write_json(folder / "report" / _NOTES, {"notes": answer["notes"]})
            if kept.exists() and not (kept / _NOTES).is_file():
                shutil.rmtree(kept, ignore_errors=True)  # cut down by someone
            with suppress(OSError):  # another process was faster
                (folder / "report").replace(kept)
    os.utime(kept)
    notes = read_json(kept / _NOTES)["notes"]
    assert isinstance(notes, list)
    mhz = options.clock_mhz if options.clock_mhz is not None else 1000.0 / FinnSettings().clock_ns
    return _made(f"{PACKAGE}-{version}", [parse(kept / name) for name in _REPORTS], [*notes, f"frames a second at {mhz:g} MHz"])


def _request(model: Path, folder: Path, options: BuildOptions, interval: int) -> Request:
    from hw_flow.backends.rtl import scale_of

    settings, scale = FinnSettings(), scale_of(options.input_scale)
    return Request(
        model=model.resolve(), output=folder, name=top_name(model, options), part=settings.part, board=None,
        clock_ns=1000.0 / options.clock_mhz if options.clock_mhz is not None else settings.clock_ns,
        input_type=options.input_type, input_scale=None if scale is None else float(scale), target_cycles=interval)


def _entry(node: Node, plan: Folding) -> dict[str, Any]:
    from hw_flow.ir import MVAU, VVAU

    own = plan[node.name]
    matrix = (node.mw, node.mh) if isinstance(node, MVAU) else None
    if isinstance(node, VVAU):
        matrix = (int(node.weights.size) // node.channels, node.channels)
    return {"name": node.name, "kind": type(node).__name__, "matrix": matrix, "PE": own.pe, "SIMD": own.simd,
            "parallel_window": int(own.parallel_window)}


def _made(source: str, reports: Sequence[ToolReport], notes: Sequence[str]) -> FinnEstimate:
    def own(figures: Mapping[str, Figure]) -> dict[str, Figure]:
        return {name: figure.model_copy(update={"source": source}) for name, figure in figures.items()}

    total: dict[str, Figure] = {}
    layers: dict[str, dict[str, Figure]] = {name: {} for name in reports[0].order}
    for report in reports:
        total |= own(report.total)
        for name, figures in report.layers.items():
            layers.setdefault(name, {}).update(own(figures))
    return FinnEstimate(source, total, layers, (*notes, *(note for report in reports for note in report.notes)))
