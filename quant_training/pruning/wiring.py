"""Which channels of a network belong together: what one layer makes, others take, and sums tie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from models.convnet import ConvSpec
from models.plan import Step, plan
from models.units import Concat, Conv, Dense, Residual, Shuffle

if TYPE_CHECKING:
    from models import Spec


@dataclass(frozen=True)
class Wiring:
    """Channels of all layers; equal numbers stand for channels that can only be removed together.

    Attributes
    ----------
    inputs : per layer the channel of each input column of its weights; empty for a depthwise layer, whose columns are its own.
    outputs : per layer the channel of each output.
    fixed : channels that have to stay: inputs and outputs of the network, and those of grouped convolutions and splits.
    """

    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    fixed: frozenset[int]

    def groups(self) -> list[ChannelGroup]:
        """Channels that may be removed, those of the same layers together, by their first layer."""
        makers: dict[int, set[int]] = defaultdict(set)
        takers: dict[int, set[int]] = defaultdict(set)
        for found, sides in ((makers, self.outputs), (takers, self.inputs)):
            for layer, channels in enumerate(sides):
                for channel in channels:
                    found[channel].add(layer)
        together: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = defaultdict(list)
        for channel in sorted(makers.keys() - self.fixed):
            together[tuple(sorted(makers[channel])), tuple(sorted(takers[channel]))].append(channel)
        return [ChannelGroup(key[0], key[1], tuple(channels)) for key, channels in sorted(together.items())]


@dataclass(frozen=True)
class ChannelGroup:
    """Channels made by the same layers.

    Attributes
    ----------
    makers, takers : layers that have them as outputs, and as inputs (depthwise layers are makers only).
    channels : their numbers in the wiring.
    """

    makers: tuple[int, ...]
    takers: tuple[int, ...]
    channels: tuple[int, ...]


class _Channels:
    """Numbers of channels, which of them are the same (disjoint sets), and what layers have."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.fixed: set[int] = set()
        self.inputs: dict[int, list[int]] = {}
        self.outputs: dict[int, list[int]] = {}

    def new(self, count: int) -> list[int]:
        """So many new channels."""
        first = len(self.parent)
        self.parent += range(first, first + count)
        return self.parent[first:]

    def root(self, channel: int) -> int:
        """The number that stands for all channels tied to this one."""
        while self.parent[channel] != channel:
            self.parent[channel] = self.parent[self.parent[channel]]
            channel = self.parent[channel]
        return channel

    def tie(self, left: Iterable[int], right: Iterable[int]) -> None:
        """Make channels the same, pair by pair."""
        for a, b in zip(left, right, strict=True):
            first, second = sorted((self.root(a), self.root(b)))
            self.parent[second] = first

    def wire(self, layer: int, inputs: list[int], outputs: list[int]) -> list[int]:
        """Note what ``layer`` takes and makes; returns the latter."""
        self.inputs[layer], self.outputs[layer] = inputs, outputs
        return outputs

    def side(self, layers: dict[int, list[int]]) -> tuple[tuple[int, ...], ...]:
        """``inputs`` or ``outputs`` by layer, with the numbers that stand for all."""
        return tuple(tuple(self.root(channel) for channel in layers[layer]) for layer in range(len(layers)))


def wiring_of(spec: Spec) -> Wiring:
    """The wiring of a network of this shape."""
    channels = _Channels()
    if isinstance(spec, ConvSpec):
        stream = channels.new(spec.input_shape[0])
        channels.fixed.update(stream)
        stream = _walk(plan(spec.units, spec.input_shape), stream, channels)
    else:
        stream = channels.new(spec.inputs)
        channels.fixed.update(stream)
        for layer, width in enumerate(spec.widths[1:]):
            stream = channels.wire(layer, stream, channels.new(width))
    channels.fixed.update(stream)
    fixed = frozenset(channels.root(channel) for channel in channels.fixed)
    return Wiring(channels.side(channels.inputs), channels.side(channels.outputs), fixed)


def _walk(steps: Sequence[Step], stream: list[int], channels: _Channels) -> list[int]:
    """Wire ``steps`` up behind the channels ``stream``; returns those of the last one."""
    for step in steps:
        unit = step.unit
        if isinstance(unit, Dense):
            assert step.layer is not None  # by the construction of a plan
            columns = [channel for channel in stream for _ in range(prod(step.size[1:]))]
            stream = channels.wire(step.layer, columns, channels.new(unit.dense))
        elif isinstance(unit, Conv):
            assert step.layer is not None  # by the construction of a plan
            stream = _convolution(step.layer, unit, stream, channels)
        elif isinstance(unit, Residual):
            left, right = (_walk(branch, stream, channels) for branch in step.branches)
            if step.branches[1] and unit.after(step.size)[1:] == step.size[1:]:
                # With as many channels as at its input the shortcut would lose its convolution.
                channels.fixed.update([*left, *right])
            channels.tie(left, right)
            stream = left
        elif isinstance(unit, Concat):
            share = len(stream) // len(step.branches)
            if unit.split:
                channels.fixed.update(stream)
            parts = [stream[share * i : share * (i + 1)] if unit.split else stream for i in range(len(step.branches))]
            ends = [_walk(branch, part, channels) for branch, part in zip(step.branches, parts, strict=True)]
            stream = [channel for end in ends for channel in end]
        elif isinstance(unit, Shuffle):
            channels.fixed.update(stream)
            size = len(stream) // unit.shuffle
            stream = [stream[group * size + index] for index in range(size) for group in range(unit.shuffle)]
    return stream


def _convolution(layer: int, unit: Conv, stream: list[int], channels: _Channels) -> list[int]:
    groups = unit.groups or len(stream)
    if groups == 1:
        return channels.wire(layer, list(stream), channels.new(unit.conv))
    if groups == unit.conv == len(stream):
        return channels.wire(layer, [], list(stream))
    outputs = channels.wire(layer, [], channels.new(unit.conv))
    channels.fixed.update([*stream, *outputs])
    return outputs
