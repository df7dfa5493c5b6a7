"""Operators of random networks that only move elements."""

from __future__ import annotations

import numpy as np

from tests.hw_flow.qonnx_elements import Elements


class Moves(Elements):
    """Slices, splits, resizing and layout changes at ``head``."""

    def move(self) -> None:
        """Any of the operators that only move elements, of those that fit."""
        high, wide = self.frame[1:] if len(self.frame) == 3 else (0, 0)
        fit = {
            self.slice: self.channels > 1, self.split: self.channels % 2 == 0, self.gather: self.channels > 1,
            self.tile: self.channels < 5, self.squeeze: True, self.pad: len(self.frame) > 1 and self.opset >= 11,
            self.identity: True, self.crop: min(high, wide) > 2, self.transposes: high > 0,
            self.resize: 0 < max(high, wide) <= 6, self.depth_to_space: high > 0 and self.channels % 4 == 0,
            self.space_to_depth: high > 0 and high % 2 == wide % 2 == 0, self.shuffle: high > 0 and self.channels in (4, 6, 8),
        }
        self.pick([make for make, fits in fit.items() if fits])()

    def slice(self) -> None:
        """The last channels."""
        begin = int(self.rng.integers(0, self.channels - 1))
        if self.opset >= 10:
            self.then("Slice", *(self.constant([value], np.int64) for value in (begin, self.channels, 1)))
        else:
            self.then("Slice", starts=[begin], ends=[self.channels], axes=[1])
        self.frame = (self.channels - begin, *self.frame[1:])

    def crop(self) -> None:
        """The middle of a map."""
        high, wide = self.frame[1:]
        if self.opset >= 10:
            self.then("Slice", *(self.constant(value, np.int64) for value in ([1, 1], [high, -1], [2, 3])))
        else:
            self.then("Slice", starts=[1, 1], ends=[high, -1], axes=[2, 3])
        self.frame = (self.channels, high - 1, wide - 2)

    def split(self) -> None:
        """Two halves, swapped."""
        half = self.channels // 2
        if self.opset >= 13:
            parts = self.node("Split", [self.head, self.constant([half, half], np.int64)], 2, axis=1)
        else:
            parts = self.node("Split", [self.head], 2, axis=1, split=[half, half])
        self.head = self.node("Concat", [parts[1], parts[0]], axis=1)[0]

    def gather(self) -> None:
        """Every or every other channel, or all in reverse."""
        taken = list(range(0, self.channels, self.pick([1, 2]))) if self.chance(0.5) else list(reversed(range(self.channels)))
        self.then("Gather", self.constant(taken, np.int64), axis=1)
        self.frame = (len(taken), *self.frame[1:])

    def tile(self) -> None:
        """All channels twice."""
        self.then("Tile", self.constant([1, 2, *[1] * (len(self.frame) - 1)], np.int64))
        self.frame = (2 * self.channels, *self.frame[1:])

    def squeeze(self) -> None:
        """An axis more, and away again."""
        if self.opset >= 13:
            axes = self.constant([2], np.int64)
            self.then("Unsqueeze", axes)
            self.then("Squeeze", axes)
        else:
            self.then("Unsqueeze", axes=[2])
            self.then("Squeeze", axes=[2])

    def pad(self) -> None:
        """Zeros around the positions of a tensor whose zero is a level."""
        self.quantise(plain=True)
        space = len(self.frame) - 1
        begin, end = ([self.pick([0, 1]) for _ in range(space)] for _ in range(2))
        self.then("Pad", self.constant([0, 0, *begin, 0, 0, *end], np.int64), self.constant(0.0))
        self.frame = (self.channels, *(size + a + b for size, a, b in zip(self.frame[1:], begin, end, strict=True)))

    def identity(self) -> None:
        """Nothing."""
        self.then(self.pick(["Identity", "Dropout"]))

    def resize(self) -> None:
        """Upsampling by whole factors, written as the opset asks for."""
        channels, high, wide = self.frame
        rows, columns = self.pick([(2, 2), (2, 2), (1, 2), (3, 1)])
        factors = self.constant([1.0, 1.0, rows, columns])
        if self.opset < 10:
            self.then("Upsample", factors, mode="nearest")
        elif self.opset < 11:
            self.then("Resize", factors, mode="nearest")
        elif self.chance(0.5):
            self.then("Resize", self.constant(np.zeros(0)), factors, mode="nearest", **self.pick([
                {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, {}]))
        else:
            empty = self.constant(np.zeros(0))
            self.then("Resize", empty, empty, self.constant([1, channels, high * rows, wide * columns], np.int64), mode="nearest")
        self.frame = (channels, high * rows, wide * columns)

    def transposes(self) -> None:
        """To channels last and back."""
        self.then("Transpose", perm=[0, 2, 3, 1])
        self.then("Transpose", perm=[0, 3, 1, 2])

    def depth_to_space(self) -> None:
        """A quarter of the channels, twice the size."""
        mode = {"mode": self.pick(["DCR", "CRD"])} if self.opset >= 11 else {}
        self.then("DepthToSpace", blocksize=2, **mode)
        self.frame = (self.channels // 4, 2 * self.frame[1], 2 * self.frame[2])

    def space_to_depth(self) -> None:
        """Half the size, four times the channels."""
        self.then("SpaceToDepth", blocksize=2)
        self.frame = (self.channels * 4, self.frame[1] // 2, self.frame[2] // 2)

    def shuffle(self) -> None:
        """Channels of two halves in turn, as ShuffleNet does it."""
        channels, high, wide = self.frame
        self.then("Reshape", self.constant([-1, 2, channels // 2, high, wide], np.int64))
        self.then("Transpose", perm=[0, 2, 1, 3, 4])
        self.then("Reshape", self.constant([-1, channels, high, wide], np.int64))
