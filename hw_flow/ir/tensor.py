"""Integer tensors and what is known of their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType, DataType

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def _scalar(value: float) -> FloatArray:
    return np.asarray(value, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Tensor:
    """An integer tensor that travels over one stream.

    The real number behind an element is ``integer * scale + offset``; hardware sees the integer only.

    Attributes
    ----------
    name : ONNX tensor name.
    shape : one frame, channels last, without the batch: ``[C]``, ``[L, C]`` or ``[H, W, C]``.
    dtype : QONNX DataType name, for example ``"INT4"`` or ``"BIPOLAR"``.
    scale : float64, a scalar or ``[C]``.
    offset : float64, a scalar or ``[C]``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: FloatArray = field(default_factory=lambda: _scalar(1.0))
    offset: FloatArray = field(default_factory=lambda: _scalar(0.0))

    @cached_property
    def datatype(self) -> BaseDataType:
        """The QONNX DataType object."""
        return DataType[self.dtype]

    @property
    def channels(self) -> int:
        """Length of the last axis."""
        return self.shape[-1]

    @property
    def elements(self) -> int:
        """Elements in one frame."""
        return prod(self.shape)

    @property
    def width(self) -> int:
        """Bits of one element on the wire (BIPOLAR 1, TERNARY 2)."""
        return int(self.datatype.bitwidth())

    @property
    def signed(self) -> bool:
        """Whether the wire encoding is two's complement (BIPOLAR is not: 1 stands for +1, 0 for -1)."""
        return bool(self.datatype.signed()) and self.dtype != "BIPOLAR"

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer that may occur."""
        return int(self.datatype.min()), int(self.datatype.max())


def smallest_datatype(low: int, high: int) -> str:
    """Name of the narrowest INTn/UINTn that holds every integer from ``low`` to ``high``."""
    if low > high:
        raise ValueError(f"empty range [{low}, {high}]")
    if low >= 0:
        return f"UINT{max(1, high.bit_length())}"
    return f"INT{max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1}"
