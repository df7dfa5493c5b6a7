"""Operators on feature maps ``[H, W, C]``; a sequence has H = 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir.nodes import Node, Shape
from hw_flow.ir.tensor import IntArray
from hw_flow.ir.thresholds import Thresholds

PoolKind = Literal["max", "sum"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SlidingWindow(Node):
    """im2col (FINN: ConvolutionInputGenerator): each output position gets the elements under a kernel.

    ``[H, W, C] -> [OH, OW, KH*KW*C]``, ordered by kernel row, kernel column, channel.
    With a 1 x 1 kernel it pads and strides only.

    Attributes
    ----------
    kernel, stride, dilation : (rows, columns).
    pads : (top, left, bottom, right) positions around the map.
    pad_value : integer that stands outside the map. The output's data type holds it; where the input is BIPOLAR and this is 0,
        the output is TERNARY.
    depthwise : the consumer reduces each channel on its own (VVAU, Pool). Hardware then streams the window of a group of channels
        after that of another; the order of the tensor itself is the same.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad_value: int = 0
    depthwise: bool = False

    @property
    def taps(self) -> int:
        """Positions under the kernel, KH*KW."""
        return self.kernel[0] * self.kernel[1]

    def positions(self, source: Shape) -> tuple[int, int]:
        """(OH, OW) for an input ``[H, W, C]``."""
        spans = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        sizes = source[0] + self.pads[0] + self.pads[2], source[1] + self.pads[1] + self.pads[3]
        high, wide = ((size - span) // step + 1 for size, span, step in zip(sizes, spans, self.stride, strict=True))
        return high, wide

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        if len(source) != 3:
            raise FlowError(f"{self.name}: input '{self.inputs[0]}' has shape {list(source)}; a window slides over [H, W, C]")
        high, wide = self.positions(source)
        if min(high, wide) < 1:
            raise FlowError(f"{self.name}: a kernel of {self.kernel[0]} x {self.kernel[1]} does not fit into input "
                            f"'{self.inputs[0]}' of {source[0]} x {source[1]}; pad it or use a smaller kernel")
        return high, wide, self.taps * source[2]

    def golden(self, *frames: IntArray) -> IntArray:
        (x,) = frames
        high, wide = self.positions(x.shape[1:])
        top, left, bottom, right = self.pads
        padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=self.pad_value)
        parts = []
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                y, z = row * self.dilation[0], column * self.dilation[1]
                parts.append(padded[:, y:y + (high - 1) * self.stride[0] + 1:self.stride[0],
                                    z:z + (wide - 1) * self.stride[1] + 1:self.stride[1]])
        return np.concatenate(parts, axis=-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class VVAU(Node):
    """Vector-vector-activation unit: a depthwise convolution behind a `SlidingWindow`, ``[.., K*C] -> [.., C]``.

    Attributes
    ----------
    weights : int64 ``[C, K]``, K taps in the window's order.
    weight_dtype, acc_dtype, thresholds : as for `MVAU`.
    """

    weights: IntArray
    weight_dtype: str
    acc_dtype: str
    thresholds: Thresholds | None = None

    @property
    def channels(self) -> int:
        """Channels C."""
        return int(self.weights.shape[0])

    @property
    def taps(self) -> int:
        """Elements that each result reduces, K."""
        return int(self.weights.shape[1])

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        if source[-1] != self.channels * self.taps:
            raise FlowError(f"{self.name}: input '{self.inputs[0]}' has {source[-1]} channels, the node takes "
                            f"{self.taps} x {self.channels}")
        return (*source[:-1], self.channels)

    def golden(self, *frames: IntArray) -> IntArray:
        (x,) = frames
        acc = np.einsum("...kc,ck->...c", x.reshape(*x.shape[:-1], self.taps, self.channels), self.weights)
        return acc if self.thresholds is None else self.thresholds(acc)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Node):
    """Largest element, or sum, of each channel under a `SlidingWindow`, ``[.., K*C] -> [.., C]``.

    An average is a sum whose scale is divided by K.
    """

    kind: PoolKind
    taps: int

    def shape(self, *shapes: Shape) -> Shape:
        (source,) = shapes
        if source[-1] % self.taps:
            raise FlowError(f"{self.name}: {source[-1]} channels of input '{self.inputs[0]}' are no multiple of {self.taps} taps")
        return (*source[:-1], source[-1] // self.taps)

    def golden(self, *frames: IntArray) -> IntArray:
        (x,) = frames
        taps = x.reshape(*x.shape[:-1], self.taps, -1)
        pooled: IntArray = taps.max(axis=-2) if self.kind == "max" else taps.sum(axis=-2)
        return pooled


@dataclass(frozen=True, eq=False, kw_only=True)
class GlobalPool(Node):
    """Largest element, or sum, of each channel over all positions, ``[.., C] -> [1, 1, C]``."""

    kind: PoolKind

    def shape(self, *shapes: Shape) -> Shape:
        return 1, 1, shapes[0][-1]

    def golden(self, *frames: IntArray) -> IntArray:
        (x,) = frames
        flat = x.reshape(len(x), 1, 1, -1, x.shape[-1])
        pooled: IntArray = flat.max(axis=-2) if self.kind == "max" else flat.sum(axis=-2)
        return pooled
