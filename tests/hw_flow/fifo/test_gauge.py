"""The gauge: depths checked and shrunk in one simulator."""

import json

import pytest

from hw_flow import api, fifo, folding
from hw_flow.errors import FlowError
from hw_flow.fifo.gauge import _Gauge
from tests.hw_flow.maps import residual
from tests.hw_flow.tiny import tiny


class StopError(Exception):
    """As Ctrl-C, at a place of our choice."""


@pytest.mark.parametrize("seed", [0])
def test_depths_are_confirmed_and_shrunk_without_building_again(tmp_path, seed):
    graph = residual(5, 4, seed=seed)
    plan = folding.for_cycles(graph, 1000)
    depths = fifo.depths(graph, plan)
    ticks = []
    found = fifo.gauge(graph, plan, depths, tmp_path, seed=seed, progress=ticks.append)
    assert found.interval_cycles == folding.interval_cycles(graph, plan) == found.predicted.interval_cycles
    assert found.latency_cycles == found.predicted.latency_cycles
    assert found.peaks == found.predicted.peaks
    assert set(found.depths) == set(depths)
    assert all(found.depths[key] <= depth for key, depth in depths.items())
    assert found.shrunk_bits < found.bits
    assert sum(tick.text != "" for tick in ticks) == 3 + len(depths)
    assert [tick.done for tick in ticks] == sorted(tick.done for tick in ticks)
    assert (ticks[-1].done, {tick.total for tick in ticks}) == (ticks[-1].total, {ticks[-1].total})
    # The limits that it found lock up nothing in the model either.
    assert fifo.predict(graph, plan, found.depths).interval_cycles == found.interval_cycles
    assert fifo.completes(graph, plan, found.depths).done


def test_an_interrupted_search_carries_on_where_it_was(tmp_path, monkeypatch):
    graph = residual(5, 4, seed=1)
    plan = folding.for_cycles(graph, 1000)
    depths = fifo.depths(graph, plan)
    journal, real, runs = tmp_path / "trials.json", _Gauge._run, []

    def counted(self, limits, **options):
        runs.append(options)
        return real(self, limits, **options)

    def stop(tick):
        if tick.done == 4:
            raise StopError

    monkeypatch.setattr(_Gauge, "_run", counted)
    whole = fifo.gauge(graph, plan, depths, tmp_path / "a")
    count = len(runs)
    runs.clear()
    with pytest.raises(StopError):
        fifo.gauge(graph, plan, depths, tmp_path / "b", journal=journal, progress=stop)
    known = len(json.loads(journal.read_text())["known"])
    assert known == 3
    carried = fifo.gauge(graph, plan, depths, tmp_path / "c", journal=journal)
    assert (carried.depths, carried.trials) == (whole.depths, whole.trials)
    assert len(runs) == count + 1  # the run that is compared with happens twice
    # Outcomes of other frames, and a damaged file, count as none.
    for seed in (0, 1):
        journal.write_text("[" if seed == 0 else journal.read_text())
        runs.clear()
        fifo.gauge(graph, plan, depths, tmp_path / "d", journal=journal, seed=seed)
        assert len(runs) >= count - 1


def test_a_build_takes_the_depths_that_were_measured(tmp_path):
    model = tiny(tmp_path / "tiny.onnx")
    made = api.build(model, tmp_path / "b", target_cycles=24)
    before = api.simulate(made, samples=6)
    sizing = api.fifo(made.directory)
    assert (sizing.interval_cycles, sizing.source) == (before.interval_cycles, before.source)
    assert sizing.bits["gauged"] <= sizing.bits["model"]
    assert sizing.plain()["bits"] == sizing.bits
    again = api.fifo(made.directory)
    assert again.reused
    assert again.fifos == sizing.fifos
    # The same build again keeps them; what was measured before is not taken for theirs.
    now = api.build(model, tmp_path / "b", target_cycles=24)
    assert now.reused
    assert now.key != made.key
    with pytest.raises(FlowError, match=r"not simulated yet"):
        api.simulation_record(now)
    run = api.simulate(now, samples=6)
    assert run.fault is None
    assert (run.interval_cycles, run.latency_cycles) == (before.interval_cycles, before.latency_cycles)
    assert fifo.fifo_bits(now.graph, now.folding, now.depths) == {
        name: size.after * size.width for name, size in sizing.fifos.items()}
    # Another build starts over.
    assert "fifo" not in api.build(model, tmp_path / "b", target_cycles=12).stamp


def test_too_few_frames(tmp_path):
    made = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", target_cycles=24)
    with pytest.raises(FlowError, match=r"^FIFO sizing with 2 frames a run; give at least 3, or no interval shows$"):
        api.fifo(made, frames=2)
