"""Streams as arrays: the exact and fast way between integers and the bytes of beats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError

_CHUNK = 1 << 20  # elements a step when single bits are spread out: bounds the memory, keeps the cache warm


@dataclass(frozen=True)
class StreamPort:
    """One stream of a design.

    Attributes
    ----------
    name : str
        Prefix of the port names, for example "s_axis".
    direction : "in" or "out"
        Seen from the design.
    width : int
        Bits of an element, 1..64.
    lanes : int
        Elements a beat; the lowest index lies in the lowest bits.
    beats : int
        Beats a frame.
    signed : bool
        Two's complement elements.
    bipolar : bool
        Elements of one bit that stand for -1 (0) and +1 (1).
    """

    name: str
    direction: Literal["in", "out"]
    width: int
    lanes: int
    beats: int
    signed: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        """Check what cannot be packed."""
        if self.direction not in ("in", "out"):
            raise SimError(f"stream {self.name}: direction must be 'in' or 'out', not {self.direction!r}")
        if not 1 <= self.width <= 64:
            raise SimError(f"stream {self.name}: element width must be 1..64 bits, not {self.width}")
        if self.lanes < 1 or self.beats < 1:
            raise SimError(f"stream {self.name}: lanes and beats must be positive, not {self.lanes} and {self.beats}")
        if self.bipolar and self.width != 1:
            raise SimError(f"stream {self.name}: bipolar elements have 1 bit, not {self.width}")

    @property
    def bits(self) -> int:
        """Bits of a beat without padding."""
        return self.width * self.lanes

    @property
    def tdata_bits(self) -> int:
        """Bits of a beat, padded to bytes."""
        return -(-self.bits // 8) * 8

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat."""
        return self.tdata_bits // 8

    @property
    def elements(self) -> int:
        """Elements of a frame."""
        return self.lanes * self.beats

    @property
    def frame_bytes(self) -> int:
        """Bytes of a packed frame."""
        return self.beat_bytes * self.beats

    @property
    def value_range(self) -> tuple[int, int]:
        """Smallest and largest value of an element."""
        if self.bipolar:
            return -1, 1
        if self.signed:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1

    @property
    def type_name(self) -> str:
        """The elements' type as QONNX writes it, for example "UINT8"."""
        return "BIPOLAR" if self.bipolar else f"{'INT' if self.signed else 'UINT'}{self.width}"


def pack(port: StreamPort, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn integers into the bytes of beats.

    Parameters
    ----------
    values : integer array [N, elements]
        Frames in the order of the stream.

    Returns
    -------
    uint8 array [N, beats, beat_bytes]
        Padding bits are zero.

    Raises
    ------
    SimError
        The shape or the type is wrong, or a value does not fit the elements' type.
    """
    values = np.asarray(values)
    _check(port, values)
    frames = values.shape[0]
    if port.width in (8, 16, 32, 64):
        raw = values.astype(f"<u{port.width // 8}", order="C", copy=False) if values.dtype.kind != "b" else values.astype("<u1")
        return np.ascontiguousarray(raw).view(np.uint8).reshape(frames, port.beats, port.beat_bytes)
    packed = np.empty((frames, port.beats, port.beat_bytes), np.uint8)
    for begin, end in _chunks(frames, port.elements):
        packed[begin:end] = _pack_bits(port, values[begin:end])
    return packed


def unpack(port: StreamPort, beats: NDArray[np.uint8]) -> NDArray[Any]:
    """Turn the bytes of beats into integers, the inverse of `pack`; padding is ignored.

    Parameters
    ----------
    beats : uint8 array [N, beats, beat_bytes]

    Returns
    -------
    int64 array [N, elements]
        uint64 for unsigned elements of 64 bits.
    """
    frames = beats.shape[0]
    if beats.shape[1:] != (port.beats, port.beat_bytes):
        raise SimError(
            f"stream {port.name}: expected bytes [N, {port.beats}, {port.beat_bytes}], got {_shape(beats)}",
        )
    if port.width in (8, 16, 32, 64):
        kind = "i" if port.signed else "u"
        raw = np.ascontiguousarray(beats).view(f"<{kind}{port.width // 8}").reshape(frames, port.elements)
        return raw.astype(np.uint64 if raw.dtype == np.uint64 else np.int64)
    values = np.empty((frames, port.elements), np.int64)
    for begin, end in _chunks(frames, port.elements):
        values[begin:end] = _unpack_bits(port, beats[begin:end])
    return values


def _check(port: StreamPort, values: NDArray[Any]) -> None:
    """Refuse what the stream cannot carry, with the first offending value."""
    if values.ndim != 2 or values.shape[1] != port.elements:
        raise SimError(f"stream {port.name}: expected an array [N, {port.elements}], got {_shape(values)}")
    if values.dtype.kind not in "iub":
        raise SimError(f"stream {port.name}: expected integers, got {values.dtype}")
    if values.size == 0:
        return
    low, high = port.value_range
    if int(values.min()) < low or int(values.max()) > high:
        wrong = (values < low) | (values > high)
        raise SimError(f"stream {port.name}: {_first(values, wrong)} is outside {low}..{high} ({port.type_name})")
    if port.bipolar and not np.all(values):
        raise SimError(f"stream {port.name}: {_first(values, values == 0)} is neither -1 nor 1 (BIPOLAR)")


def _first(values: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    frame, element = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return f"value {int(values[frame, element])} at [{frame}, {element}]"


def _shape(array: NDArray[Any]) -> str:
    return "[" + ", ".join(str(size) for size in array.shape) + "]"


def _chunks(frames: int, elements: int) -> list[tuple[int, int]]:
    step = max(1, _CHUNK // elements)
    return [(begin, min(begin + step, frames)) for begin in range(0, frames, step)]


def _container(width: int) -> int:
    """Bytes of the smallest integer type of at least `width` bits."""
    return 1 << max(0, math.ceil(math.log2(width / 8)))


def _pack_bits(port: StreamPort, values: NDArray[Any]) -> NDArray[np.uint8]:
    shape = (values.shape[0], port.beats, port.bits)
    if port.width == 1:
        bits = (values > 0) if port.bipolar else (values != 0)
        return np.packbits(bits.reshape(shape), axis=-1, bitorder="little")
    size = _container(port.width)
    octets = np.ascontiguousarray(values.astype(f"<u{size}")).view(np.uint8).reshape(*values.shape, size)
    bits8 = np.unpackbits(octets, axis=-1, bitorder="little", count=port.width)
    return np.packbits(bits8.reshape(shape), axis=-1, bitorder="little")


def _unpack_bits(port: StreamPort, beats: NDArray[np.uint8]) -> NDArray[np.int64]:
    frames = beats.shape[0]
    bits = np.unpackbits(beats, axis=-1, bitorder="little", count=port.bits).reshape(frames, port.elements, port.width)
    if port.width == 1:
        plain = bits[..., 0].astype(np.int64)
        if port.bipolar:
            return 2 * plain - 1
        return -plain if port.signed else plain
    size = _container(port.width)
    octets = np.zeros((frames, port.elements, size), np.uint8)
    octets[..., : -(-port.width // 8)] = np.packbits(bits, axis=-1, bitorder="little")
    values = octets.view(f"<u{size}")[..., 0].astype(np.int64)
    if port.signed:
        spare = 64 - port.width
        values = (values << spare) >> spare
    return values
