"""When the sliding-window kernels read and write, beat by beat, and how much they must hold for that.

The numbers here are the kernels' own rules; nothing is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hw_flow.ir import SlidingWindow
from hw_flow.ir.tensor import IntArray


@dataclass(frozen=True)
class Geometry:
    """A window over a stream of ``groups`` beats a position.

    A beat's place is its number in the frame; places left of the map and below it are counted on as if rows and frames
    followed each other without padding, which is how the kernels count.

    Attributes
    ----------
    size : (H, W) of the map.
    groups : beats that hold the channels of one position.
    kernel, stride, dilation, pads, depthwise : as for `SlidingWindow`.
    """

    size: tuple[int, int]
    groups: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    depthwise: bool = False

    @classmethod
    def of(cls, node: SlidingWindow, shape: tuple[int, ...], simd: int) -> Geometry:
        """The geometry of ``node`` on frames ``[H, W, C]`` of ``simd`` channels a beat."""
        return cls((shape[0], shape[1]), shape[2] // simd, node.kernel, node.stride, node.dilation, node.pads, node.depthwise)

    @property
    def taps(self) -> int:
        """Positions under the kernel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def positions(self) -> tuple[int, int]:
        """(OH, OW)."""
        top, left, bottom, right = self.pads
        high, wide = (
            (size + pad - (k - 1) * d - 1) // step + 1
            for size, pad, k, d, step in zip(self.size, (top + bottom, left + right), self.kernel, self.dilation, self.stride,
                                             strict=True))
        return high, wide

    @property
    def reads(self) -> int:
        """Beats of a frame that come in."""
        return self.size[0] * self.size[1] * self.groups

    @property
    def writes(self) -> int:
        """Beats of a frame that go out, a tap a beat."""
        return self.positions[0] * self.positions[1] * self.taps * self.groups

    @property
    def origin(self) -> int:
        """Place of the first window's first tap."""
        return -(self.pads[0] * self.size[1] + self.pads[1]) * self.groups

    @property
    def excess(self) -> tuple[int, int, int, int]:
        """Padding (top, left, bottom, right) beyond what one window spans, so that windows lie outside the map."""
        (top, left, bottom, right), spans = self.pads, [(k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True)]
        rows, columns = max(0, top + bottom - spans[0]), max(0, left + right - spans[1])
        up, before = min(top, rows), min(left, columns)
        return up, before, rows - up, columns - before

    @property
    def holds_rows(self) -> bool:
        """Whether the serial kernel lets go of whole rows only, which it does where windows lie outside the map."""
        return any(self.excess)

    def places(self) -> tuple[IntArray, np.ndarray]:
        """Per output beat of the serial kernel the place that it shows, and whether that lies in the map."""
        (high, wide), (height, width), g = self.positions, self.size, self.groups
        y = (np.arange(high) * self.stride[0] - self.pads[0])[:, None] + np.arange(self.kernel[0]) * self.dilation[0]
        x = (np.arange(wide) * self.stride[1] - self.pads[1])[:, None] + np.arange(self.kernel[1]) * self.dilation[1]
        rows, columns = y[:, None, :, None, None], x[None, :, None, :, None]
        place = (rows * width + columns) * g + np.arange(g)
        real = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width) & np.ones(g, dtype=bool)
        if self.depthwise:
            place, real = np.moveaxis(place, 4, 2), np.moveaxis(real, 4, 2)
        return place.reshape(-1), real.reshape(-1)

    def needs(self) -> IntArray:
        """Beats of the frame that must have come before output beat n of the serial kernel is issued, never falling.

        The first beat waits for the first of its frame even if it shows padding.
        """
        place, real = self.places()
        needs = np.where(real, place + 1, 0)
        needs[0] = max(needs[0], 1)
        return np.maximum.accumulate(needs)

    def tails(self) -> IntArray:
        """Places below this number are free once output beat n of the serial kernel is issued."""
        (high, wide), g, row = self.positions, self.groups, self.size[1] * self.groups
        beats = self.taps * g
        freed = np.zeros((high, wide, beats), dtype=np.int64)
        if self.holds_rows:
            freed[:self.held_rows, -1, -1] = self.stride[0] * row
        else:
            freed[:, :, -1] = self.stride[1] * g
            freed[:, -1, -1] = self.stride[0] * row - (wide - 1) * self.stride[1] * g
        flat = freed.reshape(-1)
        flat[-1] += self.reads - flat.sum()
        tails: IntArray = self.start + np.cumsum(flat)
        return tails

    @property
    def start(self) -> int:
        """Where the free places end at the beginning of a frame."""
        return -self.pads[0] * self.size[1] * self.groups if self.holds_rows else self.origin

    @property
    def held_rows(self) -> int:
        """Rows of windows at whose end a kernel that holds rows lets go of some, before the frame ends."""
        return min(self.positions[0] - 1, self.size[0] // self.stride[0])

    def depth(self) -> int:
        """Beats that the serial kernel must hold to take exactly max(reads, writes) cycles a frame, back to back."""
        return _depth(self)

    def lead(self) -> int:
        """How many places the serial kernel's next beat can be ahead of the beats that came, at most."""
        place, _ = self.places()
        needs, tails = self.needs(), self.tails()
        came = np.concatenate([[0], needs[:-1]])
        # After the last beat of a frame the next window begins at ``origin`` of the next frame.
        return int(max(0, (place - came).max(), self.origin + self.reads - needs[-1], (tails - needs).max()))

    def slots(self) -> IntArray:
        """Per output beat of the parallel kernel the shifts of its chain, counted from the frame's first beat on, that it needs.

        The last of them can lie behind the frame (`flush`): beats of the next frame, or empty shifts if that is not there.
        """
        (high, wide), width = self.positions, self.size[1]
        ends = (((self.kernel[a] - 1) * self.dilation[a] - self.pads[a] + np.arange(n) * self.stride[a])
                for a, n in ((0, high), (1, wide)))
        rows, columns = ends
        slots: IntArray = (rows[:, None, None] * width + columns[:, None]) * self.groups + np.arange(self.groups) + 1
        return slots.reshape(-1)

    @property
    def flush(self) -> int:
        """Shifts of the parallel kernel's chain behind the last beat of a frame, until its last window; 0 or less for none."""
        return int(self.slots()[-1]) - self.reads

    def chains(self) -> bool:
        """Whether the parallel kernel takes these windows: each needs more shifts than the one before, across frames too."""
        slots = self.slots()
        steps = np.diff(np.append(slots, slots[0] + self.reads))
        return bool(slots[0] >= 1 and steps.min() >= 1 and self.flush < self.reads)

    def split(self) -> tuple[Geometry | None, Geometry, IntArray]:
        """How the parallel kernel gets these windows.

        Returns a window of one tap in front of it, for padding beyond what one window spans, or None; the kernel's own
        geometry; and per tap its number there, or -1 where it always shows padding.
        """
        up, left, down, right = self.excess
        for pads in ((0, 0, 0, 0), (0, left, 0, right), (up, 0, down, 0)):
            front, rest, numbers = self._behind(pads)
            if rest.chains():
                return front, rest, numbers
        return self._behind(self.excess)

    def parallel_cycles(self) -> int:
        """Steady interval with all taps in a beat.

        That is max(reads, positions * groups), but longer where strided windows lie outside the map: such padding passes as
        beats between two kernels.
        """
        return max(self.reads, self.split()[1].reads, self.writes // self.taps)

    def _behind(self, pads: tuple[int, int, int, int]) -> tuple[Geometry | None, Geometry, IntArray]:
        front = replace(self, kernel=(1, 1), stride=(1, 1), dilation=(1, 1), pads=pads, depthwise=False)
        top, left, bottom, right = (total - more for total, more in zip(self.pads, pads, strict=True))
        rest, numbers = replace(self, size=front.positions, pads=(top, left, bottom, right)).trimmed()
        return front if any(pads) else None, rest, numbers

    def trimmed(self) -> tuple[Geometry, IntArray]:
        """The same windows without the first and last kernel rows and columns where these never meet the map.

        Returns the smaller geometry, whose padding can be negative, and per tap of this one its number there, or -1 where it
        always shows padding.
        """
        spans, before, behind, never = [], [], [], False
        for axis, count in enumerate(self.positions):
            step, dilation = self.stride[axis], self.dilation[axis]
            at = np.arange(count)[:, None] * step - self.pads[axis] + np.arange(self.kernel[axis]) * dilation
            real = np.flatnonzero(((at >= 0) & (at < self.size[axis])).any(axis=0))
            if len(real):
                first, end = int(real[0]), int(real[-1]) + 1
                before.append(self.pads[axis] - first * dilation)
                behind.append(self.pads[axis + 2] - (self.kernel[axis] - end) * dilation)
            else:
                never, first, end = True, 0, 1
                before.append(0)
                behind.append((count - 1) * step + 1 - self.size[axis])
            spans.append(slice(first, end))
        kernel = spans[0].stop - spans[0].start, spans[1].stop - spans[1].start
        numbers = np.full(self.kernel, -1, dtype=np.int64)
        if not never:
            numbers[spans[0], spans[1]] = np.arange(kernel[0] * kernel[1]).reshape(kernel)
        return replace(self, kernel=kernel, pads=(*before, *behind)), numbers.reshape(-1)  # type: ignore[arg-type]


@cache
def _depth(window: Geometry) -> int:
    reads, writes, needs, tails = window.reads, window.writes, window.needs(), window.tails()
    place = np.arange(2 * reads)
    two = np.concatenate([needs, needs + reads])
    if writes >= reads:
        # Writes never pause; each beat comes as late as it may, one cycle before its first use.
        first_use = np.searchsorted(np.append(two, 2 * reads + 1), place, side="right")
        come = np.minimum.accumulate((first_use - 1 - place)[::-1])[::-1][:reads] + place[:reads]
        issued = come
    else:
        # Reads never pause; an output beat is issued one cycle after what it needs, and after the one before.
        order = np.arange(2 * writes)
        issue = np.maximum.accumulate(two - order) + order
        # Of the second frame, whose beats come while those of the first are still shown.
        issued = np.searchsorted(issue, place[reads:], side="left") - writes
    # ``issued`` counts the output beats of the cycles before that in which each beat comes.
    frame, beat = np.divmod(issued - 1, writes)
    held = place[:reads] + 1 - (tails[beat] + frame * reads)
    return int(held.max())
