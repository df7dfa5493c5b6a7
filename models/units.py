"""The shape of a convolutional network, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from models.errors import ModelError

Size = tuple[int, int, int]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Conv:
    """A convolution with what follows it. ``groups`` 0 stands for depthwise: as many groups as channels."""

    conv: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    def __post_init__(self) -> None:
        for name in ("kernel", "stride", "padding"):
            object.__setattr__(self, name, _pair(name, getattr(self, name), 0 if name == "padding" else 1))  # frozen
        _count("conv", self.conv)
        _count("groups", self.groups, 0)

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        channels, *maps = size
        groups = self.groups or channels
        if channels % groups or self.conv % groups:
            raise ModelError(f"conv {self.conv}: {groups} groups do not divide {channels} inputs and {self.conv} outputs")
        return self.conv, *_slide(f"conv {self.conv}", maps, self.kernel, (self.stride, self.padding))


@dataclass(frozen=True)
class MaxPool:
    """Largest of each window; the stride is the kernel."""

    max_pool: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_pool", _pair("max_pool", self.max_pool, 1))

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        return size[0], *_slide("max_pool", size[1:], self.max_pool, (self.max_pool, (0, 0)))


@dataclass(frozen=True)
class GlobalPool:
    """Average over all positions."""

    global_pool: bool = True

    def after(self, size: Size) -> Size:
        """One position."""
        return size[0], 1, 1


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with what follows it; feature maps are flattened first."""

    dense: int

    def __post_init__(self) -> None:
        _count("dense", self.dense)

    def after(self, size: Size) -> Size:
        """One position."""
        del size
        return self.dense, 1, 1


@dataclass(frozen=True)
class Residual:
    """Units beside a shortcut; a 1 x 1 convolution stands in the shortcut where sizes differ."""

    residual: tuple[Conv, ...]

    def __post_init__(self) -> None:
        if not self.residual or not all(isinstance(unit, Conv) for unit in self.residual):
            raise ModelError("residual: give a list of at least one convolution")

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        for unit in self.residual:
            size = unit.after(size)
        return size

    def projection(self, size: Size) -> Conv | None:
        """The convolution of the shortcut, or None where the sizes are equal."""
        end = self.after(size)
        if end == size:
            return None
        stride = prod(unit.stride[0] for unit in self.residual), prod(unit.stride[1] for unit in self.residual)
        shortcut = Conv(end[0], (1, 1), stride)
        if shortcut.after(size) != end:
            raise ModelError(f"residual: its units take {_text(size)} to {_text(end)}, which no 1 x 1 shortcut does; pad them")
        return shortcut


Unit = Conv | MaxPool | GlobalPool | Dense | Residual
_KINDS: Mapping[str, type[Unit]] = {
    "conv": Conv, "max_pool": MaxPool, "global_pool": GlobalPool, "dense": Dense, "residual": Residual,
}


def unit_of(data: Unit | Mapping[str, Any]) -> Unit:
    """A unit from plain values, ``{"conv": 64, "kernel": 3}``."""
    if isinstance(data, Unit):
        return data
    kinds = [kind for kind in _KINDS if isinstance(data, Mapping) and kind in data]
    if len(kinds) != 1:
        raise ModelError(f"unit {data!r}: name exactly one of {', '.join(_KINDS)}")
    values = dict(data)
    if kinds[0] == "residual" and isinstance(values["residual"], Sequence):
        values["residual"] = tuple(unit_of(unit) for unit in values["residual"])
    try:
        return _KINDS[kinds[0]](**values)
    except TypeError as error:
        raise ModelError(f"unit {data!r}: {error}") from error


def weighted(units: Sequence[Unit], size: Size) -> Iterator[tuple[Conv | Dense, Size]]:
    """All units with weights, each with the size of its input, in the order of a `BitConfig`.

    A residual unit gives its convolutions, then that of its shortcut.
    """
    for unit in units:
        if isinstance(unit, Residual):
            yield from weighted(unit.residual, size)
            shortcut = unit.projection(size)
            if shortcut is not None:
                yield shortcut, size
        elif isinstance(unit, Conv | Dense):
            yield unit, size
        size = unit.after(size)


def _slide(what: str, maps: Sequence[int], kernel: Pair, how: tuple[Pair, Pair]) -> Pair:
    (high, wide), (stride, padding) = maps, how
    rows, columns = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip((high, wide), kernel, stride, padding, strict=True))
    if rows < 1 or columns < 1:
        raise ModelError(f"{what}: a window of {kernel[0]} x {kernel[1]} does not fit into {high} x {wide}; "
                         "pad, or pool less before")
    return rows, columns


def _pair(name: str, value: Any, least: int) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    if len(pair) != 2:
        raise ModelError(f"{name} is {value!r}; give one number, or rows and columns")
    for item in pair:
        _count(name, item, least)
    return pair[0], pair[1]


def _count(name: str, value: Any, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ModelError(f"{name} is {value!r}; give an integer of at least {least}")


def _text(size: Size) -> str:
    return " x ".join(map(str, size))
