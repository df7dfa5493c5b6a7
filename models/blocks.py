"""Compact blocks: lists of units that networks are made of."""

from __future__ import annotations

from models.errors import ModelError
from models.units import AvgPool, Concat, Conv, MaxPool, Residual, Shuffle, Unit, Upsample

Units = tuple[Unit, ...]


def separable(inputs: int, outputs: int, stride: int = 1) -> Units:
    """Depthwise separable: a 3 x 3 kernel for each channel, then a 1 x 1 convolution (Howard et al., arXiv 1704.04861)."""
    return Conv(inputs, stride=(stride, stride), padding=(1, 1), groups=0), Conv(outputs, (1, 1))


def shuffled(inputs: int, outputs: int, groups: int, stride: int = 1) -> Units:
    """Grouped 1 x 1 convolutions around a depthwise one, channels shuffled between (ShuffleNet: Zhang et al., CVPR 2018).

    A quarter of ``outputs`` in the middle. With stride 2 the average of the input is concatenated instead of added.
    """
    if stride == 1 and inputs != outputs:
        raise ModelError(f"shuffled: {inputs} inputs and {outputs} outputs cannot be added; give stride 2, or equal numbers")
    grown = outputs - (inputs if stride > 1 else 0)
    middle = -(-outputs // (4 * groups)) * groups
    inner: tuple[Conv | Shuffle, ...] = (
        Conv(middle, (1, 1), groups=groups), Shuffle(groups),
        Conv(middle, stride=(stride, stride), padding=(1, 1), groups=0), Conv(grown, (1, 1), groups=groups),
    )
    if stride == 1:
        return (Residual(inner),)
    return (Concat(((AvgPool((3, 3), (stride, stride), (1, 1)),), inner)),)


def split_shuffled(channels: int, stride: int = 1) -> Units:
    """Half of the channels passed on, the other half convolved, then shuffled (ShuffleNet-v2: Ma et al., ECCV 2018).

    With stride 2 both halves are convolved, and each sees all channels: ``channels`` are those of the output.
    """
    half = channels // 2
    depthwise = Conv(half, stride=(stride, stride), padding=(1, 1), groups=0)
    right: Units = (Conv(half, (1, 1)), depthwise, Conv(half, (1, 1)))
    if stride == 1:
        return Concat(((), right), split=True), Shuffle(2)
    return Concat(((Conv(half, stride=(stride, stride), padding=(1, 1)),), right)), Shuffle(2)


def fire(squeeze: int, expand: int) -> Units:
    """A 1 x 1 convolution to few channels, then 1 x 1 and 3 x 3 side by side (SqueezeNet: Iandola et al., arXiv 1602.07360)."""
    return Conv(squeeze, (1, 1)), Concat(((Conv(expand, (1, 1)),), (Conv(expand, padding=(1, 1)),)))


def u_shape(widths: tuple[int, ...]) -> Units:
    """Levels of two convolutions, each around the next at half the size, with its way past it (U-Net: MICCAI 2015).

    Upsampling repeats the nearest position, and a convolution follows it.
    """
    width, *deeper = widths
    pair: Units = (Conv(width, padding=(1, 1)), Conv(width, padding=(1, 1)))
    if not deeper:
        return pair
    below: Units = (MaxPool((2, 2)), *u_shape(tuple(deeper)), Upsample((2, 2)), Conv(width, padding=(1, 1)))
    return *pair, Concat(((), below)), *pair
