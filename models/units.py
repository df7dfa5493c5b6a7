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
class AvgPool:
    """Average of each window, zeros of the padding counted; ``stride`` 0 stands for the kernel."""

    avg_pool: tuple[int, int]
    stride: tuple[int, int] = (0, 0)
    padding: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "avg_pool", _pair("avg_pool", self.avg_pool, 1))
        stride = _pair("stride", self.stride, 0)
        object.__setattr__(self, "stride", tuple(n or k for n, k in zip(stride, self.avg_pool, strict=True)))
        object.__setattr__(self, "padding", _pair("padding", self.padding, 0))

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        return size[0], *_slide("avg_pool", size[1:], self.avg_pool, (self.stride, self.padding))


@dataclass(frozen=True)
class GlobalPool:
    """Average over all positions."""

    global_pool: bool = True

    def after(self, size: Size) -> Size:
        """One position."""
        return size[0], 1, 1


@dataclass(frozen=True)
class Upsample:
    """Each position repeated, rows and columns times."""

    upsample: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "upsample", _pair("upsample", self.upsample, 1))

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        return size[0], size[1] * self.upsample[0], size[2] * self.upsample[1]


@dataclass(frozen=True)
class Shuffle:
    """Channels of so many groups interleaved, so that the next grouped convolution sees all of them."""

    shuffle: int

    def __post_init__(self) -> None:
        _count("shuffle", self.shuffle)

    def after(self, size: Size) -> Size:
        """Same size."""
        if size[0] % self.shuffle:
            raise ModelError(f"shuffle: {self.shuffle} groups do not divide {size[0]} channels")
        return size


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

    residual: tuple[Conv | Shuffle, ...]

    def __post_init__(self) -> None:
        if not self.residual or not all(isinstance(unit, Conv | Shuffle) for unit in self.residual):
            raise ModelError("residual: give a list of at least one convolution")
        if not isinstance(self.residual[-1], Conv):
            raise ModelError("residual: the last unit must be a convolution; put the shuffle behind the residual")

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        return _after(self.residual, size)

    def projection(self, size: Size) -> Conv | None:
        """The convolution of the shortcut, or None where the sizes are equal."""
        end = self.after(size)
        if end == size:
            return None
        strides = [unit.stride for unit in self.residual if isinstance(unit, Conv)]
        shortcut = Conv(end[0], (1, 1), (prod(stride[0] for stride in strides), prod(stride[1] for stride in strides)))
        if shortcut.after(size) != end:
            raise ModelError(f"residual: its units take {_text(size)} to {_text(end)}, which no 1 x 1 shortcut does; pad them")
        return shortcut


@dataclass(frozen=True)
class Concat:
    """Branches side by side, their channels one after the other; an empty branch passes its input on.

    Attributes
    ----------
    concat : units of each branch; at least one ends with a convolution.
    split : each branch gets its equal share of the channels instead of all.
    """

    concat: tuple[tuple[Unit, ...], ...]
    split: bool = False

    def __post_init__(self) -> None:
        if len(self.concat) < 2:
            raise ModelError("concat: give at least two branches, each a list of units")
        if not any(branch and isinstance(branch[-1], Conv) for branch in self.concat):
            raise ModelError("concat: no branch ends with a convolution, whose activation type the result takes; end one so")
        if any(isinstance(unit, Dense) for branch in self.concat for unit in branch):
            raise ModelError("concat: a branch holds a dense layer; only feature maps can be put together")

    def source(self, size: Size) -> Size:
        """Size of what each branch sees."""
        if not self.split:
            return size
        if size[0] % len(self.concat):
            raise ModelError(f"concat: {len(self.concat)} branches do not split {size[0]} channels evenly")
        return size[0] // len(self.concat), *size[1:]

    def after(self, size: Size) -> Size:
        """Size of the output feature maps."""
        sizes = [_after(branch, self.source(size)) for branch in self.concat]
        if len({maps[1:] for maps in sizes}) > 1:
            raise ModelError(f"concat: its branches give {' and '.join(map(_text, sizes))}; rows and columns must be equal")
        return sum(maps[0] for maps in sizes), *sizes[0][1:]


Unit = Conv | MaxPool | AvgPool | GlobalPool | Upsample | Shuffle | Dense | Residual | Concat
_KINDS: Mapping[str, type[Unit]] = {
    "conv": Conv, "max_pool": MaxPool, "avg_pool": AvgPool, "global_pool": GlobalPool, "upsample": Upsample, "shuffle": Shuffle,
    "dense": Dense, "residual": Residual, "concat": Concat,
}


def unit_of(data: Unit | Mapping[str, Any]) -> Unit:
    """A unit from plain values, ``{"conv": 64, "kernel": 3}``."""
    if isinstance(data, Unit):
        return data
    kinds = [kind for kind in _KINDS if isinstance(data, Mapping) and kind in data]
    if len(kinds) != 1:
        raise ModelError(f"unit {data!r}: name exactly one of {', '.join(_KINDS)}")
    values = dict(data)
    if kinds[0] == "residual" and _listed(values["residual"]):
        values["residual"] = tuple(unit_of(unit) for unit in values["residual"])
    if kinds[0] == "concat":
        if not _listed(values["concat"]) or not all(_listed(branch) for branch in values["concat"]):
            raise ModelError(f"concat is {values['concat']!r}; give a list of branches, each a list of units")
        values["concat"] = tuple(tuple(unit_of(unit) for unit in branch) for branch in values["concat"])
    try:
        return _KINDS[kinds[0]](**values)
    except TypeError as error:
        raise ModelError(f"unit {data!r}: {error}") from error


def weighted(units: Sequence[Unit], size: Size) -> Iterator[tuple[Conv | Dense, Size]]:
    """All units with weights, each with the size of its input, in the order of a `BitConfig`.

    A residual unit gives its convolutions, then that of its shortcut; a concatenation its branches in turn.
    """
    for unit in units:
        if isinstance(unit, Residual):
            yield from weighted(unit.residual, size)
            shortcut = unit.projection(size)
            if shortcut is not None:
                yield shortcut, size
        elif isinstance(unit, Concat):
            for branch in unit.concat:
                yield from weighted(branch, unit.source(size))
        elif isinstance(unit, Conv | Dense):
            yield unit, size
        size = unit.after(size)


def _after(units: Sequence[Unit], size: Size) -> Size:
    for unit in units:
        size = unit.after(size)
    return size


def _slide(what: str, maps: Sequence[int], kernel: Pair, how: tuple[Pair, Pair]) -> Pair:
    (high, wide), (stride, padding) = maps, how
    rows, columns = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip((high, wide), kernel, stride, padding, strict=True))
    if rows < 1 or columns < 1:
        raise ModelError(f"{what}: a window of {kernel[0]} x {kernel[1]} does not fit into {high} x {wide}; "
                         "pad, or pool less before")
    return rows, columns


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _pair(name: str, value: Any, least: int) -> tuple[int, int]:
    pair = tuple(value) if _listed(value) else (value, value)
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
