from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hw_flow.cli.search import app
from hw_flow.codesign import loop, run
from hw_flow.codesign.plot import plot
from hw_flow.codesign.progress import Clock, Live, duration
from hw_flow.codesign.table import tables, verdict
from tests.hw_flow.codesign import fakes

PROBLEM = """
name: toy
dataset: digits
model: {features: [16, 8, 8, 4]}
weights: [BIPOLAR, TERNARY, INT3, INT4, INT8]
activations: [BIPOLAR, UINT2, UINT4, UINT8]
search: {trials: 12, executor: serial, seed: 3}
"""


def text_of(*parts: object, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in parts:
        console.print(part)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # a StringIO


def test_tables_name_sources_and_what_dominates(tmp_path: Path) -> None:
    summary = run(fakes.problem(trials=20), tmp_path, fakes.FAKE)
    text = text_of(*tables(summary))
    assert "val." in text
    assert "fake" in text
    assert "u4 | B B B | B B" in text
    assert "of its LUTs" in verdict(summary) or "is not dominated" in verdict(summary)


def test_tables_fit_a_narrow_terminal() -> None:
    values = {"accuracy": 0.9822, "test_accuracy": 0.9711, "luts": 9_345, "ff": 9_345, "latency_cycles": 934}
    values["interval_cycles"] = 256
    metrics = {name: {"value": value, "source": "yosys-0.70"} for name, value in values.items()}
    row = {"label": "u4 | i4 i4 i4 i4 | u4 u4 u4", "metrics": metrics}
    text = text_of(*tables({"front": [row], "uniform": [row]}), width=80)
    assert "…" not in text
    assert "u4 | i4 i4 i4 i4 | u4 u4 u4" in text


def test_a_spent_time_limit_begins_nothing_more(tmp_path: Path) -> None:
    first = run(fakes.problem(trials=4), tmp_path, fakes.FAKE)
    problem = fakes.problem(trials=9)
    limited = problem.model_copy(update={"search": problem.search.model_copy(update={"time_limit_s": 1e-9})})
    again = run(limited, tmp_path, fakes.FAKE)
    assert again["counts"]["measured"] == first["counts"]["measured"] == 4
    assert again["seconds"]["all_runs"] >= first["seconds"]["all_runs"]
    assert run(problem, tmp_path, fakes.FAKE)["counts"]["measured"] == 9


def test_verdict_without_uniform_configurations() -> None:
    assert verdict({"best_uniform": None, "front": []}) == "no uniform configuration was measured"


def test_picture_is_written_whole(tmp_path: Path) -> None:
    summary = run(fakes.problem(trials=10), tmp_path, fakes.FAKE)
    plot(summary, tmp_path / "front.png")
    assert (tmp_path / "front.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_clock_and_lines_off_a_terminal() -> None:
    clock = Clock(10, 4, 2)
    assert clock.left(4) is None
    left = clock.left(6)
    assert left is not None
    assert left >= 0
    assert (duration(None), duration(245.2)) == ("-:--", "4:05")
    out = io.StringIO()
    live = Live(Console(file=out, width=100))
    live.start(3, 0, 2)
    live.advance(1, "best accuracy 90.00%")
    live.say("one [thing]")
    live.stop()
    assert "trial 1/3, left " in out.getvalue()
    assert "best accuracy 90.00%" in out.getvalue()
    assert "one [thing]" in out.getvalue()


def test_command_line_runs_resumes_and_prints_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "default_evaluator", lambda _problem: fakes.FAKE)
    (tmp_path / "p.yaml").write_text(PROBLEM)
    output = str(tmp_path / "out")
    shown = CliRunner().invoke(app, ["run", str(tmp_path / "p.yaml"), "--output", output])
    assert shown.exit_code == 0, shown.output
    assert "Measured front" in shown.output
    assert "best uniform INT8 (" in shown.output
    assert "12 trials measured, 0 failed" in shown.output
    assert (tmp_path / "out" / "front.png").exists()
    again = CliRunner().invoke(app, ["resume", output, "--trials", "14", "-j"])
    assert again.exit_code == 0, again.output
    summary = json.loads(again.stdout[again.stdout.index("{"):])
    assert summary["front"]
    assert summary["counts"]["measured"] == 14
