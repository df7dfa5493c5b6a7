from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hw_flow.codesign import Evaluator, load, loop, resume, run
from hw_flow.codesign.executor import FatalError
from hw_flow.codesign.pareto import front
from hw_flow.codesign.points import Point
from hw_flow.codesign.results import Store
from hw_flow.errors import FlowError
from sim.errors import SimError
from tests.hw_flow.codesign import fakes

ROOT = Path(__file__).parents[3]


def check_whole(directory: Path, summary: dict[str, Any], trials: int) -> None:
    """Nothing lost, nothing repeated: one file, one finished evaluation and one row per point."""
    store = Store(directory)
    files = {path.stem for path in (directory / "trials").glob("*.json")}
    finished = store.count("finished")
    assert summary["complete"]
    assert summary["counts"]["measured"] == trials
    assert {row["key"] for row in summary["trials"]} == files
    assert len(files) == trials
    assert set(finished) <= files
    assert set(finished.values()) <= {1}
    assert summary["counts"]["evaluated_more_than_once"] == 0
    labels = Counter(row["label"] for row in summary["trials"])
    assert max(labels.values()) == 1


def test_search_measures_seeds_first_and_finds_a_dominating_front(tmp_path: Path) -> None:
    summary = run(fakes.problem(trials=24), tmp_path, fakes.FAKE)
    check_whole(tmp_path, summary, 24)
    origins = [row["origin"] for row in summary["trials"]]
    assert origins[:5] == [f"uniform:{t}" for t in ("BIPOLAR", "TERNARY", "INT3", "INT4", "INT8")]
    assert {"sensitivity:0", "sensitivity:1", "sensitivity:2", "greedy:2", "sampler"} <= set(origins)
    assert len(summary["front"]) >= 6
    assert summary["best_uniform"]["weights"] == "INT8"
    assert any(row["dominated_by"] for row in summary["uniform"])
    values = [(row["accuracy"], row["luts"]) for row in summary["trials"]]
    expected = [summary["trials"][i]["label"] for i in front(values, ("maximize", "minimize"))]
    assert [row["label"] for row in summary["front"]] == expected
    assert 0.0 < summary["hypervolume"] < 1.0
    assert json.loads((tmp_path / "front.json").read_text())["front"] == summary["front"]
    assert (tmp_path / "prepared").read_text() == "x"


def test_running_again_repeats_nothing_and_more_trials_extend(tmp_path: Path) -> None:
    first = run(fakes.problem(trials=12), tmp_path, fakes.FAKE)
    again = resume(tmp_path, fakes.FAKE)
    assert [row["key"] for row in again["trials"]] == [row["key"] for row in first["trials"]]
    longer = run(fakes.problem(trials=18), tmp_path, fakes.FAKE)
    check_whole(tmp_path, longer, 18)
    assert sum(Store(tmp_path).count("started").values()) == 18
    assert (tmp_path / "prepared").read_text() == "x"


def test_same_seed_same_search(tmp_path: Path) -> None:
    a, b = (run(fakes.problem(trials=15), tmp_path / name, fakes.FAKE) for name in "ab")
    assert [row["label"] for row in a["trials"]] == [row["label"] for row in b["trials"]]


def test_time_limit_begins_no_further_trial(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"^toy: no trial was begun within 1e-09 s; raise search\.time_limit_s$"):
        run(fakes.problem(trials=20, time_limit_s=1e-9), tmp_path, fakes.FAKE)
    stopped = json.loads((tmp_path / "front.json").read_text())
    assert not stopped["complete"]
    assert stopped["counts"]["measured"] == 0
    assert "time limit of 1e-09 s reached" in (tmp_path / "search.log").read_text()
    check_whole(tmp_path, run(fakes.problem(trials=6), tmp_path, fakes.FAKE), 6)


def test_every_point_of_a_small_space_is_measured_once_then_it_ends(tmp_path: Path) -> None:
    toy = fakes.problem(trials=50)
    toy = toy.model_copy(update={"weights": ("BIPOLAR", "INT4"), "activations": ("UINT2",)})
    summary = run(toy, tmp_path, fakes.FAKE)
    check_whole(tmp_path, summary, 8)


def test_results_found_in_files_are_told_not_evaluated(tmp_path: Path) -> None:
    run(fakes.problem(trials=10), tmp_path, fakes.FAKE)
    (tmp_path / "study.db").unlink()
    summary = resume(tmp_path, fakes.FAKE)
    check_whole(tmp_path, summary, 10)
    assert summary["counts"]["found_in_files"] >= 8
    # Only what a sampler with another history proposes differently may be new.
    assert sum(Store(tmp_path).count("started").values()) <= 12


DRIVER = """
import sys
from pathlib import Path
from hw_flow.codesign import run
from tests.hw_flow.codesign import fakes
if __name__ == "__main__":
    run(fakes.problem(trials=24, executor=sys.argv[2]), Path(sys.argv[1]), fakes.SLOW)
"""


def start_driver(directory: Path, executor: str) -> subprocess.Popen[bytes]:
    script = directory.parent / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(directory), executor]
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)


def wait_for(directory: Path, finished: int, driver: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 90
    while sum(Store(directory).count("finished").values()) < finished:
        assert driver.poll() is None, "the driver ended before it could be killed"
        assert time.monotonic() < limit, "no trials finished"
        time.sleep(0.02)


@pytest.mark.parametrize("executor", ["serial", "dask"])
def test_kill_9_in_the_middle_loses_and_repeats_nothing(tmp_path: Path, executor: str) -> None:
    directory = tmp_path / "search"
    for finished in (4, 11):
        driver = start_driver(directory, executor)
        wait_for(directory, finished, driver)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        time.sleep(0.5)
    before = {path: path.read_bytes() for path in (directory / "trials").glob("*.json")}
    summary = resume(directory, fakes.SLOW)
    check_whole(directory, summary, 24)
    assert len(before) >= 11
    assert all(path.read_bytes() == content for path, content in before.items())
    # Each kill may leave one evaluation per worker begun and not finished; it is begun once more.
    workers = 1 if executor == "serial" else 2
    assert sum(Store(directory).count("started").values()) <= 24 + 2 * workers


def test_evaluation_finished_while_the_driver_was_dead_is_not_repeated(tmp_path: Path) -> None:
    """A trial left running whose file exists, as after a kill between the worker's write and the driver's tell."""
    from hw_flow.codesign.results import evaluate_cached
    from hw_flow.codesign.study import Study

    toy = fakes.problem(trials=10)
    study = Study(toy, tmp_path, fakes.FAKE.version)
    first, second = study.ask(), study.ask()
    assert first is not None
    assert second is not None
    argument = {"point": first.point.to_json(), "directory": str(tmp_path)}
    evaluate_cached({"directory": str(tmp_path), "key": first.key, "evaluate": fakes.measure, "argument": argument})
    study.close()
    summary = run(toy, tmp_path, fakes.FAKE)
    check_whole(tmp_path, summary, 10)
    assert summary["counts"]["found_in_files"] == 1
    assert Store(tmp_path).count("started") == Store(tmp_path).count("finished")


def test_trial_killed_before_it_had_parameters_is_queued_again(tmp_path: Path) -> None:
    from hw_flow.codesign.study import Study

    toy = fakes.problem(trials=10)
    study = Study(toy, tmp_path, fakes.FAKE.version)
    assert study.ask() is not None
    trial = study._study.ask()
    trial.suggest_int("input", 0, 0)
    study.close()
    summary = run(toy, tmp_path, fakes.FAKE)
    check_whole(tmp_path, summary, 10)
    assert {"uniform:BIPOLAR", "uniform:TERNARY"} <= {row["origin"] for row in summary["trials"]}


def test_dead_worker_is_replaced_and_the_point_tried_once_more(tmp_path: Path) -> None:
    summary = run(fakes.problem(trials=9, executor="dask"), tmp_path, Evaluator("fake-1", fakes.deadly))
    store = Store(tmp_path)
    uniform = {row["weights"] for row in summary["uniform"]}
    assert "INT8" in uniform
    assert "BIPOLAR" not in uniform
    assert summary["counts"]["failed"] == 1
    assert summary["counts"]["measured"] == 8
    assert sum(store.count("died").values()) >= 2
    assert sum(store.count("failed").values()) == 1
    assert "the worker process died" in (tmp_path / "search.log").read_text()


def test_failed_trial_is_recorded_and_retried_on_resume(tmp_path: Path) -> None:
    evaluator = Evaluator("fake-1", fakes.faulty)
    summary = run(fakes.problem(trials=20), tmp_path, evaluator)
    failed = summary["counts"]["failed"]
    assert failed >= 1
    assert summary["counts"]["measured"] == 20 - failed
    assert "fc1: no TERNARY today" in (tmp_path / "search.log").read_text()
    starts = Store(tmp_path).count("started")
    again = resume(tmp_path, evaluator)
    assert again["counts"]["failed"] == failed
    assert again["complete"]
    assert sum(Store(tmp_path).count("started").values()) == sum(starts.values()) + failed
    mended = resume(tmp_path, fakes.FAKE)
    assert mended["counts"]["failed"] == 0
    assert mended["counts"]["measured"] == 20
    assert "uniform:TERNARY" in {row["origin"] for row in mended["trials"]}
    check_whole(tmp_path, mended, 20)


def test_search_ends_when_all_trials_fail(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"^toy: the first 3 trials all failed; the last one: ValueError: broken for good$"):
        run(fakes.problem(), tmp_path, Evaluator("fake-1", fakes.hopeless))


def test_front_without_a_point_is_a_fault_and_resume_tries_again(tmp_path: Path) -> None:
    broken = Evaluator("fake-1", fakes.hopeless)
    toy = fakes.problem(trials=2)
    for search in (lambda: run(toy, tmp_path, broken), lambda: resume(tmp_path, broken)):
        with pytest.raises(FlowError) as caught:
            search()
        assert str(caught.value) == f"toy: all 2 trials failed; see {tmp_path}/search.log"
        assert not json.loads((tmp_path / "front.json").read_text())["complete"]
    check_whole(tmp_path, resume(tmp_path, fakes.FAKE), 2)


@pytest.mark.parametrize("executor", ["serial", "dask"])
def test_fault_of_the_machine_ends_the_search_and_poisons_nothing(tmp_path: Path, executor: str) -> None:
    toy = fakes.problem(trials=6, executor=executor)
    # Of two workers either can be the first to fail.
    point = r"u4 \| B B B \| B B" if executor == "serial" else r"u4 \| [^:]*"
    with pytest.raises(FatalError, match=rf"^{point}: g\+\+: not found$"):
        run(toy, tmp_path, Evaluator("fake-1", fakes.no_compiler))
    assert sum(Store(tmp_path).count("failed").values()) == 0
    check_whole(tmp_path, resume(tmp_path, fakes.FAKE), 6)


def test_missing_compiler_is_found_before_anything_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SimError, match=r"^no-such-compiler: not found; a C\+\+ compiler is needed for simulation: install"):
        run(fakes.problem(), tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_missing_yosys_is_found_before_anything_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hw_flow import synth

    def missing() -> str:
        raise FlowError("Yosys was not found")

    monkeypatch.setattr(synth, "yosys_version", missing)
    with pytest.raises(FlowError, match=r"^Yosys was not found$"):
        run(fakes.problem(), tmp_path / "search")
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize("recorded", ["version.json", "base.json"])
def test_another_version_is_refused_and_nothing_is_changed(tmp_path: Path, recorded: str) -> None:
    run(fakes.problem(trials=3), tmp_path, fakes.FAKE)
    if recorded == "base.json":  # as searches of an earlier bitwright left it
        (tmp_path / "version.json").unlink()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(FlowError) as caught:
        resume(tmp_path, Evaluator("fake-2", fakes.measure, fakes.prepare))
    assert str(caught.value) == (
        f"{tmp_path}: was measured by version 'fake-1', this is 'fake-2', and their figures do not mix; start a new search with "
        f"'bitwright search run {tmp_path}/problem.yaml --output NEW' (nothing here was changed)")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_mismatch_ends_the_search_at_once(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"^u4 \| B B B \| B B: MVAU_1: hardware differs from QONNX in 3 of 64 samples$"):
        run(fakes.problem(), tmp_path, Evaluator("fake-1", fakes.mismatch))
    assert sum(Store(tmp_path).count("started").values()) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_stop_cleanly_and_can_be_resumed(tmp_path: Path, how: signal.Signals) -> None:
    directory = tmp_path / "search"
    driver = start_driver(directory, "dask")
    wait_for(directory, 6, driver)
    if how == signal.SIGINT:
        os.killpg(driver.pid, how)  # as a terminal does: workers get it too
    else:
        driver.terminate()
    assert driver.wait(timeout=40) == 0
    stopped = json.loads((directory / "front.json").read_text())
    assert not stopped["complete"]
    assert stopped["counts"]["measured"] >= 6
    check_whole(directory, resume(directory, fakes.FAKE), 24)


def test_folder_of_another_search_and_second_driver_are_refused(tmp_path: Path) -> None:
    run(fakes.problem(trials=3), tmp_path, fakes.FAKE)
    other = fakes.problem().model_copy(update={"weights": ("INT4",)})
    with pytest.raises(FlowError, match="holds the search of another problem; give an empty folder as --output"):
        run(other, tmp_path, fakes.FAKE)
    with loop._locked(tmp_path), pytest.raises(FlowError, match="another search is running here; wait for it"):
        resume(tmp_path, fakes.FAKE)
    with pytest.raises(FlowError, match=r"holds no search \(no problem\.yaml\); start one with 'bitwright search run"):
        resume(tmp_path / "nothing", fakes.FAKE)
    assert load(tmp_path / "problem.yaml") == fakes.problem(trials=3)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", pytest.param("gp", marks=pytest.mark.slow), "random"])
def test_samplers(tmp_path: Path, sampler: str) -> None:
    check_whole(tmp_path, run(fakes.problem(trials=14, sampler=sampler), tmp_path, fakes.FAKE), 14)


def test_points_read_back(tmp_path: Path) -> None:
    summary = run(fakes.problem(trials=5), tmp_path, fakes.FAKE)
    assert all(Point.from_json(row["point"]).label == row["label"] for row in summary["trials"])
