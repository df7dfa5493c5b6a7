"""The golden model against QONNX's own float32 execution, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.errorbound import level_bounds, value_bounds
from hw_flow.frontend.program import Program, batches, dequantise
from hw_flow.frontend.regions import Region
from hw_flow.ir import execute
from hw_flow.ir.tensor import IntArray


@dataclass(frozen=True)
class Comparison:
    """Result of `compare`.

    Attributes
    ----------
    bit_exact : no mismatch; ties are allowed.
    samples : frames compared.
    mismatches : elements that differ and may not.
    ties : elements that differ because float32 rounding leaves both results open.
    first_mismatch : ONNX node where the first mismatch shows, or None.
    detail : one line about it, or None.
    agreement : frames whose decision (largest output, or the output itself) equals that of QONNX's execution of the whole model.
    """

    bit_exact: bool
    samples: int
    mismatches: int
    ties: int
    first_mismatch: str | None
    detail: str | None = None
    agreement: int = 0


@dataclass
class _Tally:
    mismatches: int = 0
    ties: int = 0
    agreement: int = 0
    first: tuple[int, str, str] | None = None
    frames: int = 0

    def miss(self, order: int, node: str, detail: str, count: int) -> None:
        self.mismatches += count
        if self.first is None or order < self.first[0]:
            self.first = (order, node, detail)


def compare(program: Program, x: np.ndarray, outputs: Mapping[str, np.ndarray] | np.ndarray | None = None) -> Comparison:
    """Compare the integer graph (and hardware's ``outputs``, if given) with QONNX on frames ``x``.

    Each region is fed the golden model's integers, as QONNX's float32 has them. Elements must be equal; one
    that differs is a tie if both results lie inside the bounds of `hw_flow.frontend.errorbound`.

    Parameters
    ----------
    x : ``[N, *input_frame]``, floats or declared integers.
    outputs : integers of the graph's output from simulation, ``[N, ...]`` or by name.
    """
    program.check_frames(x)
    hardware = _hardware(program, outputs, len(x))
    tally = _Tally()
    for part in batches(x, program.reference.batch):
        _compare_batch(program, part, None if hardware is None else hardware[tally.frames:tally.frames + len(part)], tally)
        tally.frames += len(part)
    _, node, detail = tally.first or (0, None, None)
    return Comparison(tally.mismatches == 0, len(x), tally.mismatches, tally.ties, node, detail, tally.agreement)


def _hardware(program: Program, outputs: Mapping[str, np.ndarray] | np.ndarray | None, frames: int) -> IntArray | None:
    if outputs is None:
        return None
    name = program.graph.outputs[0]
    found = np.asarray(outputs[name] if isinstance(outputs, Mapping) else outputs)
    if found.size != frames * program.graph.tensors[name].elements:
        raise FlowError(f"output '{name}' has shape {list(found.shape)} for {frames} frames of "
                        f"{list(program.graph.tensors[name].shape)}; give the simulation's whole output")
    return found.reshape(frames, -1).astype(np.int64)


def _compare_batch(program: Program, x: np.ndarray, hardware: IntArray | None, tally: _Tally) -> None:
    golden = execute(program.graph, program.quantise_input(x))
    entry = program.plan.entry
    source = program.graph.inputs[0]
    flat = golden[source].reshape(len(x), -1)
    values = program.floats(x).reshape(len(x), -1) if entry is None else entry.dequantise(flat)
    for order, region in enumerate(program.regions):
        level = golden[region.sink.name].reshape(len(x), -1)
        _compare_region(program, order, (flat, values, level), tally)
        flat = level
        values = dequantise(region, level)
    if hardware is not None and (wrong := hardware != level).any():
        frame, element = np.argwhere(wrong)[0]
        node = program.regions[-1].nodes[-1]
        tally.miss(len(program.regions), node, f"{node}: frame {tally.frames + frame}, element {element}: hardware gives "
                   f"{hardware[frame, element]}, the golden model {level[frame, element]}", int(wrong.sum()))
    whole = program.reference.run(program.reference.moving(), {program.reference.source: program.floats(x)})
    ours = program.finish({program.graph.outputs[0]: golden[program.graph.outputs[0]]})
    theirs = whole[program.reference.sink]
    tally.agreement += int((_decision(ours) == _decision(theirs)).all(axis=1).sum())


def _decision(y: np.ndarray) -> np.ndarray:
    y = y.reshape(len(y), -1, y.shape[-1] if y.ndim > 1 else 1)
    return y.argmax(axis=-1) if y.shape[-1] > 1 else y[..., 0]


def _compare_region(program: Program, order: int, data: tuple[IntArray, np.ndarray, IntArray], tally: _Tally) -> None:
    """Region number ``order`` on ``data``: golden inputs, the same in float32, and golden outputs, each ``[N, E]``."""
    region, (source, x, level) = program.regions[order], data
    found = program.reference.run(region.nodes, {region.source.name: x.reshape(len(x), *region.source.frame)})[region.sink.name]
    found = found.reshape(len(x), -1)
    exact = region.quantiser is not None
    differ = found != dequantise(region, level) if exact else _integers(region, found) != level
    rows = np.flatnonzero(differ.any(axis=1))
    if not len(rows):
        return
    tie = _ties(region, (source[rows], x[rows], level[rows]), found[rows])
    differ = differ[rows]
    tally.ties += int((differ & tie).sum())
    wrong = np.argwhere(differ & ~tie)
    if len(wrong):
        frame, element = wrong[0]
        node = region.nodes[-1]
        seen = _integers(region, found[rows])[frame, element]
        tally.miss(order, node, f"{node}: frame {tally.frames + rows[frame]}, element {element}: QONNX gives level {seen}, "
                   f"the golden model {level[rows][frame, element]}", len(wrong))


def _integers(region: Region, found: np.ndarray) -> IntArray:
    """Levels behind QONNX's values; a value off the grid by more than float32 rounding becomes an impossible level."""
    exact = (found.astype(np.float64) - region.sink.offset.value) / region.sink.scale.value
    return np.where(np.isfinite(exact), np.rint(exact), -(2.0**62)).astype(np.int64)


def _ties(region: Region, data: tuple[IntArray, np.ndarray, IntArray], found: np.ndarray) -> np.ndarray:
    """Where both the golden level and QONNX's lie inside the bounds of float32 execution."""
    source, x, level = data
    if region.quantiser is not None:
        low, high = level_bounds(region, x, source)
        seen = _integers(region, found)
        return (low <= level) & (level <= high) & (low <= seen) & (seen <= high)
    least, most = value_bounds(region, x, source)
    if region.select:
        ours, theirs = level.astype(np.int64), found.astype(np.int64)
        reach = np.take_along_axis(most, theirs, axis=1) >= np.take_along_axis(least, ours, axis=1)
        back = np.take_along_axis(most, ours, axis=1) >= np.take_along_axis(least, theirs, axis=1)
        return reach & back
    exact = level * region.sink.scale.value + region.sink.offset.value
    slack = np.abs(exact) * 2.0**-50
    inside: np.ndarray = (least <= found) & (found <= most) & (least - slack <= exact) & (exact <= most + slack)
    return inside
