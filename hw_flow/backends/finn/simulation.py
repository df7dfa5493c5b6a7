"""FINN's accelerator cycle by cycle, against the golden model, FINN's own Python execution, and QONNX."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw_flow.backends.finn.located import first_difference
from hw_flow.backends.finn.modules import mixed_design
from hw_flow.backends.finn.process import run_inside
from hw_flow.backends.finn.program import FOLDER, FinnProgram
from hw_flow.backends.protocol import Build, Simulation
from hw_flow.backends.simulation import StandstillError, run_design
from hw_flow.errors import FlowError
from hw_flow.frontend import Comparison
from hw_flow.steps import Steps
from hw_flow.storage import cache_dir, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_flow.ir.tensor import FloatArray, IntArray

# Frames that FINN itself executes: it takes them one by one, some seconds each for a large network.
_FINN_FRAMES = 8
# Seconds that FINN may take for them.
_LIMIT_S = 1800.0


def simulate(
    build: Build, x: IntArray | FloatArray, *, stalls: bool = False, seed: int = 0, trace: Path | None = None,
    compare: bool = True, profile: str = "check", steps: Steps,
) -> Simulation:
    """Run frames ``x [N, *model input]`` through FINN's accelerator of ``build``.

    Hardware must equal the golden model in every element; with ``compare`` that must equal FINN's Python execution in every
    tensor (of the first frames), and the results QONNX execution.
    """
    program = build.program
    assert isinstance(program, FinnProgram)
    with steps("quantise input"):
        integers = program.quantise_input(x)
    design = build.design
    if any(node["runs_on"] == "FINN's RTL" for node in build.stamp["nodes"]):
        design = mixed_design(build.directory, program, design, build.folding)
    try:
        run = run_design(
            program.graph, design, integers, stalls=stalls, seed=seed, trace=trace, profile=profile, steps=steps)
    except StandstillError as error:
        raise FlowError(f"{build.directory}: {error}; report this bug") from error
    results, wrong = program.finish(run.outputs), run.wrong
    comparison, last = None, program.graph.nodes[-1].source[0]
    if compare:
        with steps("FINN's Python execution"):
            apart = finn_difference(program, integers, run.golden)
        with steps("compare with QONNX"):
            comparison, differs = against_qonnx(program, x, results, apart)
        wrong = wrong | differs
    return run.simulation(results, wrong, comparison, last)


@dataclass(frozen=True)
class Apart:
    """Where the golden model first leaves FINN's Python execution: FINN's node, a line, elements that differ."""

    node: str
    line: str
    count: int


def finn_difference(program: FinnProgram, integers: Mapping[str, IntArray], golden: Mapping[str, IntArray]) -> Apart | None:
    """Compare every tensor of the first frames with FINN's execution of its own hardware graph; None if all are equal."""
    name = program.graph.inputs[0]
    frames = integers[name][:_FINN_FRAMES]
    found = execute_finn(program, program.imported.levels[name].finn(frames))
    for node in program.graph:
        tensor = node.outputs[0]
        theirs = program.imported.names[tensor]
        if theirs not in found:
            continue
        finn = program.imported.levels[tensor].ours(found[theirs].reshape(golden[tensor][:len(frames)].shape))
        wrong = finn != golden[tensor][:len(frames)]
        if wrong.any():
            at = tuple(int(index) for index in np.argwhere(wrong)[0])
            line = (f"{node.source[0]}: frame {at[0]}, element {', '.join(map(str, at[1:]))}: FINN's Python gives "
                    f"{int(finn[at])}, the imported graph {int(golden[tensor][at])}")
            return Apart(node.source[0], line, int(wrong.sum()))
    return None


def execute_finn(program: FinnProgram, frames: IntArray) -> dict[str, FloatArray]:
    """FINN's tensors, windows left out, for its input integers ``[N, *shape]``; kept in the cache by content."""
    folder = program.directory / FOLDER
    shapes = HardwareShapes.of(program)
    content = digest([(folder / "hardware.onnx").read_bytes(), np.ascontiguousarray(frames).tobytes(), str(frames.shape)])
    kept = cache_dir("finn") / content[:32]
    outcome = kept / "outputs.npz"
    if not outcome.exists():
        kept.mkdir(parents=True, exist_ok=True)
        np.savez(kept / "inputs.npz", frames=frames.reshape(len(frames), *shapes.source[1:]).astype(np.float32))
        (kept / "request.json").write_text(
            '{"model": ' + _quoted(folder / "hardware.onnx") + ', "tensors": [' + ", ".join(map(_quoted, shapes.wanted)) + "]}\n",
            encoding="utf-8")
        run_inside("execute", kept / "request.json", timeout_s=_LIMIT_S, what=str(program.directory))
    with np.load(outcome, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


@dataclass(frozen=True)
class HardwareShapes:
    """FINN's input shape, and the tensors worth comparing: all but windows, whose order FINN's Python does not keep."""

    source: tuple[int, ...]
    wanted: tuple[str, ...]

    @classmethod
    def of(cls, program: FinnProgram) -> HardwareShapes:
        from hw_flow.ir import SlidingWindow

        hardware = program.hardware
        wanted = [program.imported.names[node.outputs[0]] for node in program.graph
                  if not (isinstance(node, SlidingWindow) and node.taps > 1)]
        return cls(hardware.shapes[hardware.inputs[0]], tuple(name for name in wanted if name in hardware.shapes))


def _quoted(text: Path | str) -> str:
    import json

    return json.dumps(str(text))


def against_qonnx(program: FinnProgram, x: np.ndarray, results: FloatArray, apart: Apart | None) -> tuple[Comparison, np.ndarray]:
    """The accelerator's results ``[N, ...]`` against QONNX's own execution of the model.

    A difference is a tie where the exact integers of the network say so: our front end's golden model, proved against QONNX
    tensor by tensor, gives what FINN gives, and float32 rounding alone moved QONNX.

    Returns
    -------
    The verdict, and bool ``[N]`` of the frames that differ.
    """
    from hw_flow.frontend import compile_qonnx
    from hw_flow.frontend.clean import clean
    from hw_flow.frontend.load import read_model
    from hw_flow.frontend.reference import Reference

    path = program.directory / "model.onnx"
    reference = Reference(clean(read_model(path), str(path)))
    fed = reference.fed(program.floats(x))
    parts = [reference.run(reference.moving(), {reference.source: fed[begin:begin + reference.batch]})[reference.sink]
             for begin in range(0, len(fed), reference.batch)]
    theirs = np.concatenate(parts).astype(np.float64).reshape(len(x), -1)
    ours = results.reshape(len(x), -1)
    if program.request.classify:
        theirs = theirs.argmax(axis=1)[:, None].astype(np.float64)
    differs = ~_same(program, theirs, ours)
    ties, exact = 0, None
    if differs.any():
        exact = compile_qonnx(path, input_type=program.request.input_type, input_scale=program.request.input_scale)
        told = _exact_results(program, exact, x[differs])
        tie = (told == ours[differs]) if told.shape == ours[differs].shape else np.zeros(len(told), dtype=bool)
        tie = tie.reshape(len(tie), -1).all(axis=1)
        ties = int(tie.sum())
        differs[np.flatnonzero(differs)[tie]] = False
    wrong = int(differs.sum())
    node = line = None
    if apart is not None:
        wrong, node, line = wrong + apart.count, apart.node, apart.line
    elif wrong:
        first = int(np.flatnonzero(differs)[0])
        node, line = program.graph.nodes[-1].source[0], "FINN's streamlined network gives other results than QONNX"
        place = first_difference(program, exact, x[first:first + 1]) if exact is not None else None
        if place is not None:
            node, line = place
        line = f"frame {first}: {line}"
    agree = ours.argmax(axis=1) == theirs.argmax(axis=1) if ours.shape[1] > 1 else (ours == theirs).all(axis=1)
    verdict = Comparison(wrong == 0, len(x), wrong, ties, node, line, int(agree.sum()))
    return verdict, differs


def _same(program: FinnProgram, theirs: FloatArray, ours: FloatArray) -> np.ndarray:
    """Frames whose results stand for the same integers, bool ``[N]``.

    The host scales integers in float32, FINN in another order than the model: values differ by rounding. The integers are
    equal where every value lies nearer to QONNX's than half the distance to its neighbours' of any output.
    """
    if not program.host.after:
        return np.asarray((theirs == ours).all(axis=1))
    shape = (1, *program.graph.tensors[program.graph.outputs[0]].shape)
    zero, one = (program.host.tail(np.full(shape, value)).ravel() for value in (0.0, 1.0))
    step = np.abs(one - zero)
    near: np.ndarray = np.abs(theirs - ours) < step / 2
    return np.asarray(near.all(axis=1))


def _exact_results(program: FinnProgram, exact: object, x: np.ndarray) -> FloatArray:
    """Results of our front end's golden model."""
    from hw_flow.frontend import Program
    from hw_flow.ir import execute

    assert isinstance(exact, Program)
    outputs = execute(exact.graph, exact.quantise_input(x))
    found = exact.finish(outputs).reshape(len(x), -1)
    return found.argmax(axis=1)[:, None].astype(np.float64) if program.request.classify else found.astype(np.float64)
