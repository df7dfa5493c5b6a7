"""The golden model against QONNX's own float32 execution, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.frontend.errorbound import inner_step, level_bounds, value_bounds
from hw_flow.frontend.program import Program, batches, dequantise
from hw_flow.frontend.regions import Region
from hw_flow.frontend.thresholds import LevelFunction
from hw_flow.ir import execute
from hw_flow.ir.tensor import IntArray

# Stands for a value of QONNX's that no level has.
_NO_LEVEL = -(2**62)
# Elements that bounds on a batch of frames may take.
_BUDGET = 1 << 23


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
    for part in batches(x, program.batch):
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
    golden = _with_unchanged(program, execute(program.graph, program.quantise_input(x)))
    source = program.plan.source
    known = {source.name: source.to_stream(program.floats(x)) if program.plan.entry is None
             else source.dequantise(golden[source.name])}
    for order, region in enumerate(program.regions):
        _compare_region(program, order, golden, known, tally)
        known[region.sink.name] = dequantise(region, golden[region.sink.name])
    last = program.regions[-1]
    level = golden[last.sink.name]
    if hardware is not None and (wrong := hardware != level.reshape(len(x), -1)).any():
        frame, element = np.argwhere(wrong)[0]
        node = last.nodes[-1]
        tally.miss(len(program.regions), node, f"{node}: frame {tally.frames + frame}, element {element}: hardware gives "
                   f"{hardware[frame, element]}, the golden model {level.reshape(len(x), -1)[frame, element]}", int(wrong.sum()))
    whole = program.reference.run(program.reference.moving(), {program.reference.source: program.floats(x)})
    ours = program.finish({program.graph.outputs[0]: level})
    theirs = whole[program.reference.sink]
    tally.agreement += int((_decision(ours) == _decision(theirs)).all(axis=1).sum())


def _with_unchanged(program: Program, golden: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """``golden`` with the tensors of functions that change no integer and so have no node: they are equal to their source."""
    last = program.regions[-1]
    known = {**golden}
    producer = program.graph.producer(last.sink.name)
    if producer is not None and producer.source != last.nodes:  # the node before gives the output
        known[last.source.name] = golden[last.sink.name]
    for region in program.regions:
        if region.sink.name not in known:
            known[region.sink.name] = known[region.source.name]
    return known


def _decision(y: np.ndarray) -> np.ndarray:
    y = y.reshape(len(y), -1, y.shape[-1] if y.ndim > 1 else 1)
    return y.argmax(axis=-1) if y.shape[-1] > 1 else y[..., 0]


@dataclass(frozen=True, eq=False)
class _Frames:
    """Frames of a region: its inputs as integers and as QONNX's float32, its golden output, each ``[N, *shape]``."""

    sources: tuple[IntArray, ...]
    fed: tuple[np.ndarray, ...]
    level: IntArray

    def only(self, rows: IntArray) -> _Frames:
        return _Frames(tuple(part[rows] for part in self.sources), tuple(part[rows] for part in self.fed), self.level[rows])


def _compare_region(program: Program, order: int, golden: Mapping[str, IntArray], known: Mapping[str, np.ndarray],
                    tally: _Tally) -> None:
    """Region number ``order`` on golden integers and what QONNX's float32 makes of them."""
    region = program.regions[order]
    names = [source.name for source in region.sources]
    frames = _Frames(tuple(golden[name] for name in names), tuple(known[name] for name in names), golden[region.sink.name])
    feed = {source.tensor: source.to_frame(x) for source, x in zip(region.sources, frames.fed, strict=True)}
    found = region.sink.to_stream(program.reference.run(region.nodes, feed)[region.sink.tensor])
    ours = dequantise(region, frames.level)
    rows = np.flatnonzero((found != ours).reshape(len(found), -1).any(axis=1))
    if not len(rows):
        return
    size = max(1, _BUDGET // _widest(region))
    for begin in range(0, len(rows), size):
        part = rows[begin:begin + size]
        _judge(region, order, frames.only(part), found[part], (part, tally))


def _widest(region: Region) -> int:
    """Elements of the largest array that bounds on one frame need."""
    window = getattr(region.core, "window", None)
    taps = 1 if window is None else window.taps
    return taps * max(int(np.prod(tensor.shape)) for tensor in (*region.sources, region.sink))


def _judge(region: Region, order: int, frames: _Frames, found: np.ndarray, place: tuple[IntArray, _Tally]) -> None:
    """Count ties and mismatches of frames that differ somewhere; ``found`` is QONNX's result in the order of the stream."""
    rows, tally = place
    seen = _levels(region, found)
    channels = found.shape[-1]
    if region.quantiser is None and not region.select:
        allowed = _same_value(region, frames, found.reshape(-1, channels)).reshape(found.shape)
        differ = ~allowed | (seen != frames.level)
    else:
        differ = found != dequantise(region, frames.level)
        if region.select:
            allowed = _same_index(region, frames, seen)
        else:
            allowed = _tie(region, frames, seen.reshape(-1, channels)).reshape(found.shape)
    tally.ties += int((differ & allowed).sum())
    wrong = np.argwhere((differ & ~allowed).reshape(len(found), -1))
    if len(wrong):
        frame, element = wrong[0]
        node = region.nodes[-1] if region.nodes else region.sink.tensor
        at = (int(frame), *(int(place) for place in np.unravel_index(element, found.shape[1:])))
        tally.miss(order, node, f"{node}: frame {tally.frames + rows[frame]}, element {element}: "
                   f"{_contrast(region, frames.level, seen, found, at)}", len(wrong))


def _contrast(region: Region, level: IntArray, seen: IntArray, found: np.ndarray, at: tuple[int, ...]) -> str:
    """What the two sides give at one element; as values where QONNX's is no other level."""
    if seen[at] in (level[at], _NO_LEVEL):
        return (f"QONNX gives {float(found[at])!r}, the golden model {float(dequantise(region, level)[at])!r} "
                f"(level {level[at]})")
    return f"QONNX gives level {seen[at]}, the golden model {level[at]}"


def _levels(region: Region, found: np.ndarray) -> IntArray:
    """Levels behind QONNX's values; a value off the quantiser's grid becomes an impossible level.

    Raw accumulators go to the nearest integer, as float32 may have moved them: `_same_value` judges the values. Those with a
    function behind them have no level that could be found.
    """
    sink = region.sink
    if sink.after:
        return np.full(found.shape, _NO_LEVEL)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = (found.astype(np.float64) - sink.offset.value) / sink.scale.value
        known = np.abs(exact) < 2.0**60
        seen: IntArray = np.where(known, np.rint(np.where(known, exact, 0.0)), 0.0).astype(np.int64)
        if region.quantiser is not None:
            known &= region.quantiser.dequantise(seen.reshape(-1, found.shape[-1])).reshape(found.shape) == found
    return np.where(known, seen, _NO_LEVEL)


def _same_value(region: Region, frames: _Frames, found: np.ndarray) -> np.ndarray:
    """Where raw accumulators are the exact ones, stand for the exact value, and QONNX's value lies inside its error bound."""
    level = frames.level.reshape(found.shape)
    value, error = level.astype(np.float64), np.zeros(level.shape)
    for op in (*region.start, *region.ops):
        value, error = op.approx(value, error)
    stands, slack = region.sink.real(level)
    error = error + slack + 2.0**-50 * (np.abs(stands) + np.abs(region.sink.offset.value))
    least, most = value_bounds(region, frames.fed, frames.sources)
    exact = (region.integers(*frames.sources).reshape(level.shape) == level) & (np.abs(stands - value) <= error)
    same: np.ndarray = exact & (least <= found) & (found <= most)
    return same


def _same_index(region: Region, frames: _Frames, seen: IntArray) -> np.ndarray:
    """Where the golden index is the exact one, and float32 may take the element that QONNX chose for the largest."""
    least, most = value_bounds(region, frames.fed, frames.sources)
    source, level, theirs = frames.sources[0].reshape(least.shape), frames.level.reshape(-1, 1), seen.reshape(-1, 1)
    known = (theirs >= 0) & (theirs < least.shape[-1])
    reach = np.take_along_axis(most, np.where(known, theirs, 0), axis=1) >= np.take_along_axis(least, level, axis=1)
    same: np.ndarray = known & reach & (level == source.argmax(axis=1)[:, None])
    return same.reshape(seen.shape)


def _tie(region: Region, frames: _Frames, seen: IntArray) -> np.ndarray:
    """Where float32 rounding alone explains that QONNX's level is not the golden one.

    The golden level must be the exact one, QONNX's the next to it, and the boundary between the two inside the error
    bound of the value before rounding. Quantisers inside the region may pass on a step of their own, which can be larger.
    """
    assert region.quantiser is not None
    level = frames.level.reshape(seen.shape)
    low, high = level_bounds(region, frames.fed, frames.sources)
    inside = (low <= np.minimum(level, seen)) & (np.maximum(level, seen) <= high)
    function = LevelFunction((*region.start, *region.ops), region.quantiser)
    exact = function(region.integers(*frames.sources).reshape(level.shape))
    near = region.quantiser.adjacent(level, seen) | inner_step(region, frames.fed, frames.sources)
    tie: np.ndarray = inside & near & (level == exact)
    return tie
