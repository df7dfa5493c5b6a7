"""Whole batches through real designs: data, counters, faults."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sim import Model, Profile, SimError, SimResult, Source, Stalls, StreamPort, build
from sim.toolchain import has_lz4

RTL = Path(__file__).parent / "rtl"
PATTERNS = [
    None,
    Stalls(0.1),
    Stalls(0.5),
    Stalls(0.9),
    Stalls(0.6, burst=20),
    Stalls(0.7, ports={"s_axis": 0.0}),
    Stalls(0.7, ports={"m_axis": 0.0}),
]


def frames(count: int, elements: int, width: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.random.default_rng(seed).integers(0, 2**width - 1, (count, elements), dtype=np.uint64, endpoint=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("stalls", PATTERNS)
def test_a_fifo_delivers_the_same_under_any_stalls(fifo: Callable[..., Model], stalls: Stalls | None, seed: int) -> None:
    values = frames(50, 10, 8, seed)
    result = fifo().run({"s_axis": values}, stalls=stalls, seed=seed).check()
    np.testing.assert_array_equal(result.outputs["m_axis"], values)
    assert result.monitors["fifo"].transfers == result.streams["s_axis"].transfers == 500


@pytest.mark.parametrize(("width", "lanes"), [(1, 1), (3, 5), (16, 1), (9, 3), (64, 1), (1, 784), (7, 33)])
def test_ports_of_any_width(fifo: Callable[..., Model], width: int, lanes: int) -> None:
    values = frames(20, 10 * lanes, width, 5)
    result = fifo(width, lanes, profile=Profile.FAST).run({"s_axis": values}, stalls=Stalls(0.3)).check()
    np.testing.assert_array_equal(result.outputs["m_axis"].astype(np.uint64), values)


def test_counters_without_stalls(fifo: Callable[..., Model]) -> None:
    result = fifo().run({"s_axis": frames(50, 10, 8, 1)}).check()
    assert (result.cycles, result.latency_cycles, result.interval_cycles) == (501, 11, 10)
    assert result.intervals.tolist() == [10] * 49
    assert result.done_cycles[:2].tolist() == [10, 20]
    assert result.source.startswith("verilator-5.")


def test_stall_counts_and_peak(fifo: Callable[..., Model]) -> None:
    result = fifo().run({"s_axis": frames(200, 10, 8, 1)}, stalls=Stalls(0.75, ports={"s_axis": 0.0})).check()
    source, sink = result.streams["s_axis"], result.streams["m_axis"]
    assert result.monitors["fifo"].peak == 4
    assert result.cycles - 8 <= source.transfers + source.stalls + source.starves <= result.cycles
    assert sink.stalls / result.cycles == pytest.approx(0.75, abs=0.05)


def test_a_seed_gives_the_same_run_again(fifo: Callable[..., Model]) -> None:
    model, values = fifo(), frames(50, 10, 8, 1)
    cycles = [model.run({"s_axis": values}, stalls=Stalls(), seed=seed).cycles for seed in (1, 1, 2)]
    assert cycles[0] == cycles[1] != cycles[2]


@pytest.mark.parametrize("cycle", [1, 7, 13, 205])
def test_a_reset_in_the_middle_of_a_frame_leaves_nothing_behind(fifo: Callable[..., Model], cycle: int) -> None:
    model, values = fifo(), frames(30, 10, 8, 1)
    for stalls in (None, Stalls(0.4)):
        plain = model.run({"s_axis": values}, stalls=stalls).check()
        again = model.run({"s_axis": values}, stalls=stalls, reset_at=cycle).check()
        np.testing.assert_array_equal(again.outputs["m_axis"], values)
        assert (again.cycles, again.done_cycles.tolist()) == (plain.cycles, plain.done_cycles.tolist())


def test_two_inputs_with_inner_names_and_signs() -> None:
    ends = [StreamPort(name, "in", 5, 1, 4, signed=True) for name in "ab"]
    ends.append(StreamPort("sum", "out", 6, 1, 4, signed=True))
    model = build(Source("adder", (RTL / "adder.sv",)), ends)
    rng = np.random.default_rng(1)
    a, b = rng.integers(-16, 16, (2, 40, 4))
    for stalls in (None, Stalls(0.5)):
        result = model.run({"a": a, "b": b}, stalls=stalls, seed=7).check()
        np.testing.assert_array_equal(result.outputs["sum"], a + b)


def test_wide_beats_through_logic() -> None:
    lanes, layers = 12, 2
    ends = [StreamPort("s_axis", "in", 8, lanes, 2), StreamPort("m_axis", "out", 8, lanes, 2)]
    model = build(Source("pipeline", (RTL / "pipeline.sv",), parameters={"Lanes": lanes, "Layers": layers}), ends)
    values = frames(30, 2 * lanes, 8, 1).astype(np.int64)
    expected = values.reshape(-1, lanes)
    for k in range(layers):
        code = np.array([[(7 * k + 5 * lane + 3 * i) % 3 for i in range(lanes)] for lane in range(lanes)])
        expected = expected @ np.choose(code, [1, -1, 0]).T
    result = model.run({"s_axis": values}, stalls=Stalls(0.3)).check()
    np.testing.assert_array_equal(result.outputs["m_axis"], expected.reshape(30, -1) % 256)


BEATS = np.arange(12).reshape(3, 4)
FAULTS = {
    "deadlock": "no beat moved for 100 cycles (cycle 106): s_axis 5 of 12 beats, waits for ready; "
    "m_axis 5 of 12 beats, waits for valid",
    "spurious": "m_axis: a beat after the 12 expected ones",
    "tlast": "m_axis: frame 1, beat 0 of 4: tlast is 1, expected 0",
    "padding": "m_axis: frame 1, beat 0 of 4: the padding bits 15..12 are not zero",
    "error": "faulty.sv:61: Assertion failed in faulty: bad beat 5",
    "finish": "faulty.sv:62: $finish",
    "assert": "faulty.sv:67: Assertion failed in faulty.a_never_due: 'assert' failed.",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_design_is_named(faulty: Callable[..., SimResult], fault: str) -> None:
    result = faulty(fault, BEATS, after=11 if fault == "spurious" else 5, max_idle_cycles=100)
    status = "fault" if fault in ("error", "finish", "assert") else fault
    assert result.status == status
    assert result.reason.endswith(FAULTS[fault])
    with pytest.raises(SimError, match=f"^simulation: {status}: "):
        result.check()


def test_a_withdrawn_beat_is_named(faulty: Callable[..., SimResult]) -> None:
    result = faulty("withdraw", np.arange(400).reshape(100, 4), stalls=Stalls(0.8, ports={"s_axis": 0}))
    assert result.status == "protocol"
    assert result.reason.endswith("valid was withdrawn or data changed before ready")


def test_a_missing_reset_is_found(faulty: Callable[..., SimResult]) -> None:
    result = faulty("start", BEATS)
    assert result.status == "unstable"
    assert result.reason == "m_axis: frame 1 depends on the start values (1 and 2 differ)"


def test_a_healthy_copy_and_a_pin(faulty: Callable[..., SimResult]) -> None:
    result = faulty("none", BEATS, offset=100).check()
    np.testing.assert_array_equal(result.outputs["m_axis"], BEATS + 100)


def test_outputs_and_figures_before_the_fault_are_kept(faulty: Callable[..., SimResult]) -> None:
    result = faulty("deadlock", BEATS + 1, max_idle_cycles=100)
    assert result.outputs["m_axis"].tolist() == [[1, 2, 3, 4], [5, 0, 0, 0], [0, 0, 0, 0]]
    assert (result.latency_cycles, result.interval_cycles) == (5, 0)


def test_the_limit_of_cycles(fifo: Callable[..., Model]) -> None:
    result = fifo().run({"s_axis": frames(1000, 10, 8, 1)}, max_cycles=2000)
    assert result.status == "timeout"
    assert result.reason.startswith("not done after 2000 cycles (cycle 2")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"inputs": {"x": 1}}, "run: unknown input stream 'x' (the design's inputs: s_axis)"),
        ({"inputs": {}}, "run: no data for the input stream 's_axis'"),
        ({"inputs": {"s_axis": np.zeros((0, 10), int)}}, "run: the inputs hold no frame"),
        (
            {"inputs": {"s_axis": np.zeros((2, 10), int)}, "pins": {"x": 1}},
            "run: unknown pin 'x' (the design's free inputs: none)",
        ),
        (
            {"inputs": {"s_axis": np.zeros((2, 10), int)}, "trace": Path(__file__) / "waves.vcd"},
            f"trace {Path(__file__) / 'waves.vcd'}: cannot be written (File exists)",
        ),
        (
            {"inputs": {"s_axis": np.zeros((2, 10), int)}, "trace": Path("waves.txt")},
            "trace waves.txt: the name must end in .vcd, .fst or .saif",
        ),
    ],
)
def test_wrong_arguments_are_named(fifo: Callable[..., Model], arguments: dict[str, object], text: str) -> None:
    with pytest.raises(SimError) as error:
        fifo().run(**arguments)  # type: ignore[arg-type]  # some are wrong on purpose
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Stalls(1.0), "stalls: probability must be at least 0 and below 1, not 1.0"),
        (lambda: Stalls(0.1, ports={"m": -1.0}), "stalls: m must be at least 0 and below 1, not -1.0"),
        (lambda: Stalls(burst=0.5), "stalls: burst must be at least 1 cycle, not 0.5"),
    ],
)
def test_impossible_stalls_are_refused(make: Callable[[], Stalls], text: str) -> None:
    with pytest.raises(SimError) as error:
        make()
    assert str(error.value) == text


def test_waves_and_activity_are_written(fifo: Callable[..., Model], tmp_path: Path) -> None:
    values = frames(20, 10, 8, 1)
    waves, window, activity = tmp_path / "a" / "waves.vcd", tmp_path / "window.vcd", tmp_path / "activity.saif"
    result = fifo().run({"s_axis": values}, trace=waves).check()
    np.testing.assert_array_equal(result.outputs["m_axis"], values)
    text = waves.read_text()
    assert "$enddefinitions" in text
    assert "s_axis_tvalid" in text
    fifo().run({"s_axis": values}, trace=window, trace_window=(50, 60)).check()
    assert window.stat().st_size < waves.stat().st_size / 2
    fifo().run({"s_axis": values}, trace=activity).check()
    assert "(SAIFILE" in activity.read_text()


def test_fst_needs_lz4(fifo: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = tmp_path / "waves.fst"
    if has_lz4():
        fifo().run({"s_axis": frames(5, 10, 8, 1)}, trace=waves).check()
        assert waves.stat().st_size > 0
    monkeypatch.setattr("sim.builder.has_lz4", lambda: False)
    with pytest.raises(SimError) as error:
        fifo().run({"s_axis": frames(5, 10, 8, 1)}, trace=waves)
    assert str(error.value) == (
        "profile fst: the headers of lz4 or zlib are missing; install the packages liblz4-dev and zlib1g-dev or use a .vcd trace"
    )


def test_threads_may_share_a_model(fifo: Callable[..., Model]) -> None:
    model = fifo()
    good: list[bool] = []

    def work(seed: int) -> None:
        values = frames(100, 10, 8, seed)
        result = model.run({"s_axis": values}, stalls=Stalls(), seed=seed).check()
        good.append(bool(np.array_equal(result.outputs["m_axis"], values)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good == [True] * 8


def test_ctrl_c_ends_a_long_run(faulty: Callable[..., SimResult]) -> None:
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        faulty("deadlock", BEATS, max_idle_cycles=1 << 60)
    assert time.monotonic() - started < 10


def test_progress_appears_after_two_seconds(
    faulty: Callable[..., SimResult], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    threading.Timer(3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        faulty("deadlock", BEATS, max_idle_cycles=1 << 60, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "simulating" in err
