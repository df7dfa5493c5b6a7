"""Benchmarks: every record has its script and its place on the page, and the page shows what the records say."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
RECORDS = sorted((FOLDER / "results").glob("*.json"))


def load(name: str) -> ModuleType:
    """A benchmark's module, without running it."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules beside the benchmarks can be imported, and are forgotten again."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == FOLDER:
            del sys.modules[name]


def test_every_record_has_its_place_and_every_place_its_record() -> None:
    assert {path.stem for path in RECORDS} == set(load("results").ORDER)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_whole_and_on_the_page(path: Path) -> None:
    results = load("results")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert record["rows"]
    assert {len(row) for row in record["rows"]} == {len(record["columns"])}
    runner, script = record["command"].split()[:2]
    assert runner == "python"
    assert (ROOT / script).is_file()
    assert results.section(record) in results.PAGE.read_text(encoding="utf-8"), "run: python benchmarks/results.py"


@pytest.mark.usefixtures("beside")
def test_all_benchmarks_are_run() -> None:
    scripts = load("run_all").SCRIPTS
    recorded = {Path(json.loads(path.read_text(encoding="utf-8"))["command"].split()[1]).name for path in RECORDS}
    assert len(set(scripts)) == len(scripts)
    assert recorded <= set(scripts)
    assert not [name for name in scripts if not (FOLDER / name).is_file()]


def test_spread_and_kept(tmp_path: Path) -> None:
    results = load("results")
    assert results.spread([98.0, 99.0, 100.0]) == "99.0 ± 1.0"
    assert results.spread([4308.0, 4308.0], 0) == "4,308"
    path = tmp_path / "new" / "figures.json"
    assert results.kept(path, lambda: {"clean": 97.5}) == {"clean": 97.5}
    assert results.kept(path, lambda: pytest.fail("made twice")) == {"clean": 97.5}
    assert [each.name for each in path.parent.iterdir()] == ["figures.json"]


@pytest.mark.usefixtures("beside")
def test_robustness_of_a_float_and_a_quantised_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import models

    robustness = load("robustness")
    from lenet import lenet

    monkeypatch.setattr(robustness, "STEPS", 1)
    monkeypatch.setattr(robustness, "TRIALS", 1)
    start = robustness.Start(robustness.load_dataset("digits", val_fraction=0.0), tmp_path, 0)
    models.save(models.build(lenet(), "float", seed=0), tmp_path / "float")
    found = {name: robustness.figures(models.build(lenet(), name, seed=0), start) for name in ("float", "w4a4")}
    assert set(robustness.COLUMNS) - set(found["float"]) == {"weights", "activations"}
    assert set(robustness.COLUMNS) <= set(found["w4a4"])
    assert found["float"]["pgd"] == found["float"]["transferred"]  # against itself
    assert all(0 <= value <= 100 and math.isfinite(value) for figures in found.values() for value in figures.values())
