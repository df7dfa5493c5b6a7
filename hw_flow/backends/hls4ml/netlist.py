"""What hls4ml is asked to build: layers with their arrays and exact fixed-point types, nothing of hls4ml itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw_flow.ir.tensor import FloatArray, IntArray

_NOTATION = re.compile(r"(u?)(fixed|int)<(\d+)(?:,(-?\d+))?(?:,(\w+),(\w+))?>")


@dataclass(frozen=True)
class Fixed:
    """A fixed-point type; ``str`` is the notation that every hls4ml back end reads.

    Attributes
    ----------
    width, integer : bits in all, bits left of the point (the sign among them).
    signed : two's complement.
    rounding : ``TRN`` down, ``RND_CONV`` half to even.
    saturation : ``WRAP``, ``SAT``, or ``SAT_SYM``, which leaves out the most negative value.
    """

    width: int
    integer: int
    signed: bool
    rounding: str = "TRN"
    saturation: str = "WRAP"

    def __str__(self) -> str:
        modes = "" if (self.rounding, self.saturation) == ("TRN", "WRAP") else f",{self.rounding},{self.saturation}"
        return f"{'fixed' if self.signed else 'ufixed'}<{self.width},{self.integer}{modes}>"

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer of a type without fraction bits."""
        high = (1 << (self.width - self.signed)) - 1
        return (-high - (self.saturation != "SAT_SYM") if self.signed else 0), high

    @staticmethod
    def read(text: str) -> Fixed:
        """The type that ``str`` gave."""
        match = _NOTATION.fullmatch(text)
        assert match is not None, text
        unsigned, whole, width, integer, rounding, saturation = match.groups()
        bits = int(width)
        return Fixed(bits, bits if whole == "int" else int(integer), not unsigned, rounding or "TRN", saturation or "WRAP")

    @staticmethod
    def holding(low: int, high: int, fraction: int = 0) -> Fixed:
        """The narrowest type for multiples of ``2**-fraction`` from ``low`` to ``high`` of them."""
        signed = low < 0
        bits = max((-low - 1).bit_length() if signed else 0, max(high, 0).bit_length()) + signed
        bits = max(bits, 1)
        return Fixed(bits, bits - fraction, signed)


@dataclass(frozen=True)
class Abilities:
    """Layers of hls4ml that not every tool has code for.

    Attributes
    ----------
    tables : look-ups of whole tables.
    moves : crops, transposes of any order, nearest-neighbour resizing.
    depthwise : depthwise convolutions; without, a plain one with zeros stands for them.
    overlap : largest-of pools that pad, or whose stride is not their kernel; no stream has them.
    overlap_lines : those of sequences, without padding.
    """

    tables: bool = True
    moves: bool = True
    depthwise: bool = True
    overlap: bool = True
    overlap_lines: bool = True


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of hls4ml.

    Attributes
    ----------
    name, kind : hls4ml's; ``kind`` is its ``class_name``.
    inputs : names of layers.
    shape : of one output frame, channels last.
    attributes : plain values by hls4ml's names.
    arrays : weights by hls4ml's names, integers times a power of two.
    types : fixed-point type by ``weight``, ``bias``, ``scale``, ``accum``, ``result``.
    matrix : inputs and outputs of its matrix; None for layers that multiply nothing.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    matrix: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Wire:
    """How a layer stands for a tensor of the integer graph: ``value = step * seen + offset``.

    Attributes
    ----------
    layer : that makes it.
    shape : of one frame as hls4ml has it.
    step : 1, or 2 where one bit stands for -1 and +1.
    offset : int64 ``[C]`` or ``[1]``.
    low, high : range of what hls4ml sees, int64 ``[C]`` or ``[1]``.
    """

    layer: str
    shape: tuple[int, ...]
    step: int
    offset: IntArray
    low: IntArray
    high: IntArray

    @property
    def plain(self) -> bool:
        """Whether hls4ml sees the value itself."""
        return self.step == 1 and not self.offset.any()

    def values(self, seen: FloatArray) -> IntArray:
        """Integers of the graph from what hls4ml gives, ``[N, ..., C]``."""
        exact: IntArray = np.rint(seen).astype(np.int64) * self.step + self.offset
        return exact

    def seen(self, values: IntArray) -> FloatArray:
        """What hls4ml is fed for integers of the graph."""
        fed: FloatArray = ((values - self.offset) // self.step).astype(np.float64)
        return fed


@dataclass(frozen=True, eq=False)
class Netlist:
    """All layers in order, and how they stand for the graph's tensors."""

    layers: tuple[Layer, ...]
    wires: Mapping[str, Wire]
    source: str
    sink: str
