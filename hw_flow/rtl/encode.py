"""Weights and thresholds as the kernels want them: bits, clamped, in the order of the folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, Graph, Tensor, Thresholding, Thresholds
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.choose import flat_thresholds, table_latency


@dataclass(frozen=True, eq=False)
class Table:
    """Thresholds for ``bw_threshold``.

    Attributes
    ----------
    words : per table the words ``[lanes, words]``, as ``{descending, threshold}``: for stage s of a search
        ``folds * 2**s`` of them, for a threshold of a flat comparison ``folds``.
    bits : of the count.
    flat : whether all comparisons are made at once.
    threshold_width : bits of a threshold without the descending bit.
    descending : whether the words carry that bit.
    folds : beats after which the thresholds repeat.
    base : added to the count, in wire encoding.
    latency : cycles of a look-up.
    """

    words: tuple[IntArray, ...]
    bits: int
    flat: bool
    threshold_width: int
    descending: bool
    folds: int
    base: int
    latency: int

    @property
    def word_width(self) -> int:
        """Bits of a word."""
        return self.threshold_width + self.descending

    @property
    def addr_width(self) -> int:
        """Bits of an address."""
        fold = (self.folds - 1).bit_length()
        return max(1, fold + (0 if self.flat else self.bits - 1))

    @property
    def cycles(self) -> int:
        """Latency of ``bw_threshold`` with this table."""
        return (1 if self.flat else self.bits) * (1 + self.latency)


def signed_width(low: int, high: int) -> int:
    """Bits of two's complement that hold ``low`` and ``high``."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


def sum_limits(weights: IntArray, source: Tensor) -> tuple[IntArray, IntArray]:
    """Smallest and largest dot product of each row with any input of the type of ``source``."""
    low, high = source.limits
    negative, positive = np.minimum(weights, 0).sum(axis=1), np.maximum(weights, 0).sum(axis=1)
    return low * positive + high * negative, high * positive + low * negative


def straighten(node: MVAU) -> MVAU:
    """Negate the rows of descending channels where the weight type can hold that, so that they ascend."""
    activation = node.thresholds
    if activation is None or not activation.descending.any():
        return node
    values, descending = _per_channel(activation, node.mh)
    flip = descending & (-node.weights >= int(DataType[node.weight_dtype].min())).all(axis=1)
    flip &= (-node.weights <= int(DataType[node.weight_dtype].max())).all(axis=1)
    # w.x < t  <=>  (-w).x >= 1 - t
    values[flip] = 1 - values[flip][:, ::-1]
    return MVAU(
        name=node.name, inputs=node.inputs, outputs=node.outputs, source=node.source,
        weights=np.where(flip[:, None], -node.weights, node.weights), weight_dtype=node.weight_dtype, acc_dtype=node.acc_dtype,
        thresholds=Thresholds(values, descending & ~flip, activation.base, activation.step),
    )


def weight_words(node: MVAU, pe: int, simd: int) -> IntArray:
    """Weights ``[words, pe * simd]`` in wire encoding: word nf * (MW/SIMD) + sf, lane 0 first."""
    wire = (node.weights + 1) // 2 if node.weight_dtype == "BIPOLAR" else node.weights
    folded = wire.reshape(node.mh // pe, pe, node.mw // simd, simd).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(folded).reshape(-1, pe * simd)


def table_of_mvau(node: MVAU, graph: Graph, pe: int) -> Table | None:
    """The merged activation of ``node``, if it has one."""
    if node.thresholds is None:
        return None
    low, high = sum_limits(node.weights, graph.input_of(node))
    return _table(graph.output_of(node), node.thresholds, low, high, signed=True, pe=pe, name=node.name)


def table_of_thresholding(node: Thresholding, graph: Graph, pe: int) -> Table:
    """The thresholds of ``node``; those of a BIPOLAR input are moved to its wire encoding 0, 1."""
    source = graph.input_of(node)
    thresholds, limits = node.thresholds, source.limits
    if source.dtype == "BIPOLAR":
        moved = -(-(thresholds.values + 1) // 2)
        thresholds, limits = Thresholds(moved, thresholds.descending, thresholds.base, thresholds.step), (0, 1)
    low, high = (np.full(source.channels, limit, dtype=np.int64) for limit in limits)
    return _table(graph.output_of(node), thresholds, low, high, signed=source.signed, pe=pe, name=node.name)


def table_of_values(thresholds: Thresholds, out: Tensor, low: int, high: int, *, pe: int, name: str) -> Table:
    """Thresholds on signed values from ``low`` to ``high``, the same in all channels of ``out``."""
    least, most = (np.full(out.channels, limit, dtype=np.int64) for limit in (low, high))
    return _table(out, thresholds, least, most, signed=True, pe=pe, name=name)


def _per_channel(thresholds: Thresholds, channels: int) -> tuple[IntArray, np.ndarray]:
    values = np.broadcast_to(thresholds.values, (channels, thresholds.levels)).copy()
    return values, np.broadcast_to(thresholds.descending, (channels,)).copy()


def _table(out: Tensor, thresholds: Thresholds, low: IntArray, high: IntArray, *, signed: bool, pe: int, name: str) -> Table:
    channels = len(low)
    values, descending = _per_channel(thresholds, channels)
    base, step = thresholds.base, thresholds.step
    if out.dtype == "BIPOLAR":
        base, step = (base + 1) // 2, step // 2 or 1
        reach = (0, 1)
    else:
        reach = out.limits
    if base < reach[0] or base + step * thresholds.levels > reach[1]:
        raise FlowError(f"{name}: thresholds give {thresholds.base} to {thresholds.base + thresholds.step * thresholds.levels},"
                        f" which {out.dtype} cannot represent; declare output '{out.name}' wider")
    values = np.repeat(values, step, axis=1)
    # Beyond the input's range every threshold acts as high + 1 (never reached) or as low (always).
    values = np.clip(values, low[:, None], high[:, None] + 1)
    bits = max(1, values.shape[1].bit_length())
    spare = (1 << bits) - 1 - values.shape[1]
    # A descending channel counts x < t: the largest threshold is the first to be counted.
    ordered = np.where(descending[:, None], values[:, ::-1], values)
    never = np.where(descending, low, high + 1)
    ordered = np.concatenate([ordered, np.repeat(never[:, None], spare, axis=1)], axis=1)
    least, most = min(int(ordered.min()), int(low.min())), max(int(ordered.max()), int(high.max()))
    width = signed_width(least, most) if signed else max(1, most.bit_length())
    word = ordered & ((1 << width) - 1)
    if descending.any():
        word |= descending[:, None].astype(np.int64) << width
    folded = word.reshape(channels // pe, pe, -1)
    if (folded == folded[:1]).all():
        folded = folded[:1]
    flat = flat_thresholds(bits)
    tables = [folded[:, :, index].T for index in range(folded.shape[2])] if flat else []
    for stage in range(0 if flat else bits):
        picks = (np.arange(1 << stage) << (bits - stage)) + (1 << (bits - stage - 1)) - 1
        tables.append(folded[:, :, picks].transpose(1, 0, 2).reshape(pe, -1))
    deepest = max(table.shape[1] for table in tables)
    return Table(tuple(tables), bits, flat, width, bool(descending.any()), len(folded), base, table_latency(deepest))
