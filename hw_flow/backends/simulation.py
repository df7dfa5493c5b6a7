"""Cycle-accurate runs of an emitted design, compared with the golden model and with QONNX."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.protocol import Build, Simulation
from hw_flow.errors import FlowError
from hw_flow.ir import execute
from hw_flow.steps import Steps
from hw_flow.storage import check_writable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_flow.frontend import Comparison, Program
    from hw_flow.ir import Graph
    from hw_flow.ir.tensor import FloatArray, IntArray
    from hw_flow.rtl.design import Design
    from sim import Model, SimResult, Stalls

# Ways to build the simulator: `check` has assertions and three start values of all that is not initialised, `fast` neither.
PROFILES = ("check", "fast")
# Start values of registers matter for the first frames only; beyond these one pass is enough.
_START_VALUE_FRAMES = 256


def check_profile(profile: str) -> str:
    """``profile`` if there is one of that name; FlowError lists those there are."""
    if profile not in PROFILES:
        raise FlowError(f"simulation profile '{profile}' is not known; choose one of {', '.join(PROFILES)}")
    return profile


def compile_model(design: Design, profile: str = "check") -> Model:
    """Verilate ``design``, or take it from the cache."""
    import sim

    source = sim.Source(top=design.top, files=design.paths, defines=("BW_MONITOR",))
    return sim.build(source, design.ports, profile=profile)


def _trace_profile(trace: Path) -> str:
    """The profile that writes waves by this name; FlowError if none does, or they cannot be written."""
    from sim.profiles import for_trace

    found = for_trace(trace.suffix)
    if found is None:
        raise FlowError(f"trace {trace}: the name must end in .vcd, .fst or .saif")
    check_writable(trace)
    return found.value


class StandstillError(FlowError):
    """The hardware came to a standstill, which is a bug; the message says what stood still."""


def simulate(
    build: Build, x: IntArray | FloatArray, *, stalls: bool = False, seed: int = 0, trace: Path | None = None,
    compare: bool = True, profile: str = "check", steps: Steps,
) -> Simulation:
    """Run frames ``x [N, *model input]`` through the hardware of ``build``; see `simulate_design`."""
    from hw_flow.frontend import Program

    program = build.program
    assert isinstance(program, Program)
    try:
        return simulate_design(
            program, build.design, x, stalls=stalls, seed=seed, trace=trace, compare=compare, profile=profile, steps=steps)
    except StandstillError as error:
        raise FlowError(f"{build.directory}: {error}; report this bug") from error


def simulate_design(
    program: Program, design: Design, x: IntArray | FloatArray, *, stalls: bool = False, seed: int = 0,
    trace: Path | None = None, compare: bool = True, profile: str = "check", steps: Steps,
) -> Simulation:
    """Run frames ``x [N, *model input]`` through ``design``, the golden model and, with ``compare``, QONNX execution.

    Raises
    ------
    StandstillError : the hardware stopped before the last frame.
    FlowError : wrong inputs, unknown profile.
    SimError : a tool is missing, or the design does not compile.
    """
    with steps("quantise input"):
        integers = program.quantise_input(x)
    run = run_design(program.graph, design, integers, stalls=stalls, seed=seed, trace=trace, profile=profile, steps=steps)
    wrong, comparison = run.wrong, None
    if compare:
        from hw_flow.frontend import compare as compare_with_qonnx

        with steps("compare"):
            comparison = compare_with_qonnx(program, x, run.outputs)
            if not comparison.bit_exact:
                wrong |= wrong_compilation(program, x)
    return run.simulation(program.finish(run.outputs), wrong, comparison, program.regions[-1].nodes[-1])


@dataclass(frozen=True, eq=False)
class Run:
    """A cycle-accurate run beside the golden model.

    Attributes
    ----------
    outputs : integers of the hardware by graph output, ``[N, *shape]``.
    golden : every tensor of the golden model.
    fault : where the two first differ, or None.
    wrong : bool ``[N]``, frames in which they differ.
    """

    outputs: dict[str, IntArray]
    golden: dict[str, IntArray]
    fault: str | None
    wrong: np.ndarray
    result: SimResult

    def simulation(self, results: FloatArray, wrong: np.ndarray, comparison: Comparison | None, node: str) -> Simulation:
        """What a back end returns of it; ``node`` is the last one's name, for a fault."""
        return Simulation(
            outputs=self.outputs, results=results, interval_cycles=self.result.interval_cycles or None,
            latency_cycles=self.result.latency_cycles, cycles=self.result.cycles, monitors=_monitors(self.result),
            fault=self.fault, wrong_frames=int(wrong.sum()), comparison=comparison, source=self.result.source,
            fault_node=node if self.fault is not None else None)


def run_design(
    graph: Graph, design: Design, integers: Mapping[str, IntArray], *, stalls: bool = False, seed: int = 0,
    trace: Path | None = None, profile: str = "check", steps: Steps,
) -> Run:
    """Run ``integers`` (``[N, *shape]`` by graph input) through ``design`` and through the golden model of ``graph``.

    Raises
    ------
    StandstillError : the hardware stopped before the last frame.
    FlowError, SimError : unknown profile; a tool is missing, or the design does not compile.
    """
    import sim

    profile = check_profile(profile) if trace is None else _trace_profile(trace)
    with steps("compile simulator", own_display=True):
        model = compile_model(design, profile)
    streams = _streams(design, graph, integers)
    frames = len(next(iter(streams.values())))
    with steps("simulate stalled" if stalls else "simulate", own_display=True):
        result = _run(model, streams, sim.Stalls() if stalls else None, seed, trace)
    if result.status != "done":
        raise StandstillError(f"simulation ended in a {result.status} ({result.reason})")
    outputs = {
        name: np.asarray(result.outputs[port.name], dtype=np.int64).reshape(frames, *graph.tensors[name].shape)
        for name, port in zip(graph.outputs, design.outputs, strict=True)
    }
    with steps("golden model"):
        golden = execute(graph, integers)
        fault = difference(graph, outputs, golden)
    wrong: np.ndarray = np.any(
        [(outputs[name] != golden[name]).reshape(frames, -1).any(axis=1) for name in graph.outputs], axis=0)
    return Run(outputs, golden, fault, wrong, result)


def wrong_compilation(program: Program, x: IntArray | FloatArray) -> np.ndarray:
    """Which of the frames ``x`` the golden model and QONNX disagree on, bool ``[N]``; found by halving, as it takes a bug."""
    from hw_flow.frontend import compare

    found = compare(program, x)
    if found.bit_exact:
        return np.zeros(len(x), dtype=bool)
    if len(x) == 1:
        return np.ones(1, dtype=bool)
    half = len(x) // 2
    return np.concatenate([wrong_compilation(program, x[:half]), wrong_compilation(program, x[half:])])


def _run(model: Model, streams: Mapping[str, IntArray], stalls: Stalls | None, seed: int, trace: Path | None) -> SimResult:
    """One pass over all frames; with ``check`` the first ones also with other start values of all that is not initialised."""
    frames = len(next(iter(streams.values())))
    if frames <= _START_VALUE_FRAMES or trace is not None or model.profile != "check":
        return model.run(streams, stalls=stalls, seed=seed, trace=trace)
    first = model.run({name: x[:_START_VALUE_FRAMES] for name, x in streams.items()}, stalls=stalls, seed=seed)
    return model.run(streams, stalls=stalls, seed=seed, x_seeds=(1,)) if first.status == "done" else first


def difference(graph: Graph, outputs: Mapping[str, IntArray], golden: Mapping[str, IntArray]) -> str | None:
    """Where the hardware's outputs first leave the golden model's, or None if they are equal."""
    for name in graph.outputs:
        wrong = outputs[name] != golden[name]
        if wrong.any():
            frame, *element = (int(index) for index in np.argwhere(wrong)[0])
            where = (frame, *element)
            producer = graph.producer(name)
            return (f"{producer.name if producer else name}, seen at the output: frame {frame},"
                    f" element {', '.join(map(str, element))}:"
                    f" hardware {int(outputs[name][where])}, golden model {int(golden[name][where])}"
                    f" ({int(wrong.sum())} of {wrong.size} differ)")
    return None


def _streams(design: Design, graph: Graph, integers: Mapping[str, IntArray]) -> dict[str, IntArray]:
    return {
        port.name: np.asarray(integers[name]).reshape(len(integers[name]), -1)
        for name, port in zip(graph.inputs, design.inputs, strict=True)
    }


def _monitors(result: SimResult) -> dict[str, dict[str, int]]:
    return {name: {key: int(value) for key, value in asdict(monitor).items()} for name, monitor in result.monitors.items()}
