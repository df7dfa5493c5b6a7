"""The golden model against QONNX's own float32 execution, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.errorbound import adjacent, inner_step, level_bounds, value_bounds
from hw_flow.frontend.program import Program, batches, dequantise
from hw_flow.frontend.regions import Region
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.ir import execute
from hw_flow.ir.nodes import matmul
from hw_flow.ir.tensor import IntArray

# Stands for a value of QONNX's that no level has.
_NO_LEVEL = -(2**62)


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

    Each region is fed the golden model's integers, as QONNX's float32 has them. Elements must be equal. One that differs
    is a tie if the golden level is the exact one, QONNX's is next to it, and the boundary between them lies inside the
    bounds of `hw_flow.frontend.errorbound`. Raw accumulators must be exact, and QONNX's values inside those bounds.

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
    rows = np.flatnonzero((found != dequantise(region, level)).any(axis=1))
    if not len(rows):
        return
    source, x, level, found = source[rows], x[rows], level[rows], found[rows]
    seen = _levels(region, found)
    if region.quantiser is None and not region.select:
        allowed = _same_value(region, (source, x, level), found)
        differ = ~allowed | (seen != level)
    else:
        differ = found != dequantise(region, level)
        allowed = _same_index(region, (source, x, level), seen) if region.select else _tie(region, (source, x, level), seen)
    tally.ties += int((differ & allowed).sum())
    wrong = np.argwhere(differ & ~allowed)
    if len(wrong):
        frame, element = wrong[0]
        node = region.nodes[-1]
        tally.miss(order, node, f"{node}: frame {tally.frames + rows[frame]}, element {element}: "
                   f"{_contrast(region, level, seen, found, (frame, element))}", len(wrong))


def _contrast(region: Region, level: IntArray, seen: IntArray, found: np.ndarray, at: tuple[int, int]) -> str:
    """What the two sides give at one element; as values where QONNX's is no other level."""
    if seen[at] in (level[at], _NO_LEVEL):
        return (f"QONNX gives {float(found[at])!r}, the golden model {float(dequantise(region, level)[at])!r} "
                f"(level {level[at]})")
    return f"QONNX gives level {seen[at]}, the golden model {level[at]}"


def _levels(region: Region, found: np.ndarray) -> IntArray:
    """Levels behind QONNX's values; a value off the quantiser's grid becomes an impossible level.

    Raw accumulators go to the nearest integer, as float32 may have moved them: `_same_value` judges the values.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        exact = (found.astype(np.float64) - region.sink.offset.value) / region.sink.scale.value
        known = np.abs(exact) < 2.0**60
        seen: IntArray = np.where(known, np.rint(np.where(known, exact, 0.0)), 0.0).astype(np.int64)
        if region.quantiser is not None:
            known &= region.quantiser.dequantise(seen) == found
    return np.where(known, seen, _NO_LEVEL)


def _accumulators(region: Region, source: IntArray) -> IntArray:
    """Exact integers that the element-wise part of ``region`` starts from, by the file's weights."""
    if region.linear is None:
        return source
    weights = region.linear.weights.values
    return matmul(source.reshape(len(source), -1, weights.shape[1]), weights.T).reshape(len(source), -1)


def _same_value(region: Region, data: tuple[IntArray, np.ndarray, IntArray], found: np.ndarray) -> np.ndarray:
    """Where raw accumulators are the exact ones, stand for the exact value, and QONNX's value lies inside its error bound."""
    source, x, level = data
    value, error = level.astype(np.float64), np.zeros(level.shape)
    for op in (*region.start, *region.ops):
        value, error = op.approx(value, error)
    scaled, offset = level * region.sink.scale.value, region.sink.offset.value
    error = error + 2.0**-50 * (np.abs(scaled) + np.abs(offset))
    least, most = value_bounds(region, x, source)
    exact = (_accumulators(region, source) == level) & (np.abs(scaled + offset - value) <= error)
    same: np.ndarray = exact & (least <= found) & (found <= most)
    return same


def _same_index(region: Region, data: tuple[IntArray, np.ndarray, IntArray], seen: IntArray) -> np.ndarray:
    """Where the golden index is the exact one, and float32 may take the element that QONNX chose for the largest."""
    source, x, level = data
    least, most = value_bounds(region, x, source)
    known = (seen >= 0) & (seen < source.shape[1])
    theirs = np.where(known, seen, 0)
    reach = np.take_along_axis(most, theirs, axis=1) >= np.take_along_axis(least, level, axis=1)
    same: np.ndarray = known & reach & (level == source.argmax(axis=1)[:, None])
    return same


def _tie(region: Region, data: tuple[IntArray, np.ndarray, IntArray], seen: IntArray) -> np.ndarray:
    """Where float32 rounding alone explains that QONNX's level is not the golden one.

    The golden level must be the exact one, QONNX's the next to it, and the boundary between the two inside the error
    bound of the value before rounding. Quantisers inside the region may pass on a step of their own, which can be larger.
    """
    source, x, level = data
    assert region.quantiser is not None
    low, high = level_bounds(region, x, source)
    inside = (low <= np.minimum(level, seen)) & (np.maximum(level, seen) <= high)
    exact = LevelFunction((*region.start, *region.ops), region.quantiser)(_accumulators(region, source))
    near = adjacent(region.quantiser, level, seen) | inner_step(region, x, source)
    tie: np.ndarray = inside & near & (level == exact)
    return tie
