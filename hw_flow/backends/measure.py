"""Simulate a build and record what was measured, for its report."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.protocol import Build, Simulation
from hw_flow.errors import FlowError
from hw_flow.ir import LabelSelect
from hw_flow.report.records import SimulationRecord, save_simulation
from hw_flow.report.schema import Figure, Verification

if TYPE_CHECKING:
    from hw_flow.ir.tensor import IntArray


def verification(run: Simulation, samples: int, stalled: Simulation | None = None) -> Verification | None:
    """Verdict on a pass without stalls and, if there was one, a stalled pass; None if nothing was compared."""
    if run.comparison is None:
        return None
    found, stalled_equal = run.comparison, None
    frames, elements = run.wrong_frames, found.mismatches
    if stalled is not None:
        differs = [(stalled.outputs[name] != run.outputs[name]).reshape(samples, -1) for name in run.outputs]
        stalled_equal = stalled.fault is None and not any(part.any() for part in differs)
        frames = max(frames, int(np.any([part.any(axis=1) for part in differs], axis=0).sum()))
        elements = max(elements, sum(int(part.sum()) for part in differs))
    faulty = [one for one in (run, stalled) if one is not None and one.fault is not None]
    return Verification(
        bit_exact=not faulty and found.bit_exact and stalled_equal is not False,
        samples=samples, mismatches=frames, mismatched_elements=elements, ties=found.ties,
        first_mismatch=found.first_mismatch or (faulty[0].fault_node if faulty else None),
        hardware_fault=faulty[0].fault if faulty else None, stalled_pass=stalled_equal, decisions_agree=found.agreement,
    )


def performance(run: Simulation) -> dict[str, Figure]:
    """Cycles of a pass, as figures; none of what was not counted."""
    values = {"interval_cycles": run.interval_cycles, "latency_cycles": run.latency_cycles, "cycles": run.cycles}
    return {name: Figure(value=value, unit="cycles", source=run.source) for name, value in values.items() if value is not None}


def record(build: Build, run: Simulation, outcome: Verification | None, seconds: dict[str, float],
           accuracy: Figure | None = None) -> SimulationRecord:
    """Write ``sim/simulation.json`` of ``build`` and return its content."""
    units = {"transfers": "beats", "stalls": "cycles", "starves": "cycles", "peak": "beats"}
    streams = {
        name: {key: Figure(value=value, unit=units[key], source=run.source) for key, value in counters.items()}
        for name, counters in run.monitors.items()
    }
    result = SimulationRecord(
        key=build.key, performance=performance(run), streams=streams, verification=outcome, seconds=seconds,
        accuracy={"accuracy_hardware": accuracy} if accuracy is not None else {},
    )
    save_simulation(build.directory, result)
    return result


def check_labels(build: Build, labels: IntArray, frames: int) -> None:
    """FlowError unless ``labels [N]`` are classes of the network, one for each of ``frames``."""
    if len(labels) != frames:
        raise FlowError(f"{len(labels)} labels for {frames} frames; give one a frame")
    graph = build.graph
    last = graph.producer(graph.outputs[0])
    tensor = graph.input_of(last) if isinstance(last, LabelSelect) else graph.tensors[graph.outputs[0]]
    classes = max(2, prod(tensor.shape))
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        wrong = int(labels[(labels < 0) | (labels >= classes)][0])
        raise FlowError(f"label {wrong} is no class of the network; give 0 to {classes - 1}")


def accuracy(build: Build, run: Simulation, labels: IntArray) -> Figure:
    """Share of frames whose class is ``labels [N]``, in percent.

    The class is the index that the network selects itself, the largest of several outputs, or the sign of a single one.
    """
    results = run.results.reshape(len(run.results), -1)
    if results.shape[1] > 1:
        predicted: np.ndarray = results.argmax(axis=1)
    else:
        selects = isinstance(build.graph.producer(build.graph.outputs[0]), LabelSelect)
        predicted = results[:, 0].astype(np.int64) if selects else (results[:, 0] > 0).astype(np.int64)
    return Figure(value=round(100.0 * float((predicted == labels).mean()), 3), unit="%", source=run.source)
