"""Integers to the bytes of beats and back."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import SimError, StreamPort, pack, unpack


@st.composite
def ports(draw: st.DrawFn) -> StreamPort:
    width = draw(st.integers(1, 64))
    kind = draw(st.sampled_from(["unsigned", "signed", "bipolar"]))
    lanes, beats = draw(st.integers(1, 70)), draw(st.integers(1, 5))
    bipolar = kind == "bipolar"
    return StreamPort("s_axis", "in", 1 if bipolar else width, lanes, beats, kind == "signed", bipolar)


def random_values(port: StreamPort, frames: int, seed: int) -> np.ndarray[Any, Any]:
    """Uniform over the type, the extreme values first."""
    rng = np.random.default_rng(seed)
    low, high = port.value_range
    kind = np.int64 if low < 0 else np.uint64
    values = rng.integers(low, high, (frames, port.elements), dtype=kind, endpoint=True)
    if port.bipolar:
        values = np.where(values > 0, 1, -1)
    values.flat[0] = low
    values.flat[-1] = high
    return values


def slow_pack(port: StreamPort, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The definition: a beat is a number in which element i has the bits i * width and up."""
    rows = []
    for frame in values.reshape(len(values), port.beats, port.lanes):
        for beat in frame:
            number = 0
            for lane, value in enumerate(beat):
                code = int(value > 0) if port.bipolar else int(value) % (1 << port.width)
                number |= code << (lane * port.width)
            rows.append(list(number.to_bytes(port.beat_bytes, "little")))
    return np.array(rows, np.uint8).reshape(len(values), port.beats, port.beat_bytes)


@given(ports(), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_pack_matches_the_definition_and_unpack_inverts_it(port: StreamPort, frames: int, seed: int) -> None:
    values = random_values(port, frames, seed)
    packed = pack(port, values)
    np.testing.assert_array_equal(packed, slow_pack(port, values))
    np.testing.assert_array_equal(unpack(port, packed), values)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("width", [3, 8, 12, 16, 33, 64])
def test_any_integer_type_of_array_will_do(dtype: type[np.signedinteger[Any]], width: int) -> None:
    port = StreamPort("s_axis", "in", width, 3, 1, signed=True)
    values = np.array([[-4, 0, 3]], dtype)
    np.testing.assert_array_equal(unpack(port, pack(port, values)), values)


def test_mnist_packs_in_well_under_a_second() -> None:
    images = np.random.default_rng(0).integers(0, 256, (10_000, 784), dtype=np.uint8)
    port = StreamPort("s_axis", "in", 8, 49, 16)
    started = time.process_time()
    packed = pack(port, images)
    assert time.process_time() - started < 0.5
    np.testing.assert_array_equal(unpack(port, packed), images)


PORT = StreamPort("s_axis", "in", 4, 2, 5, signed=True)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.zeros((3, 9), np.int64), "stream s_axis: expected an array [N, 10], got [3, 9]"),
        (np.zeros(10, np.int64), "stream s_axis: expected an array [N, 10], got [10]"),
        (np.zeros((3, 10)), "stream s_axis: expected integers, got float64"),
        (np.full((1, 10), 8), "stream s_axis: value 8 at [0, 0] is outside -8..7 (INT4)"),
        (np.arange(20).reshape(2, 10) - 14, "stream s_axis: value -14 at [0, 0] is outside -8..7 (INT4)"),
    ],
)
def test_wrong_input_is_named(values: np.ndarray[Any, Any], text: str) -> None:
    with pytest.raises(SimError) as error:
        pack(PORT, values)
    assert str(error.value) == text


def test_zero_is_not_bipolar() -> None:
    with pytest.raises(SimError) as error:
        pack(StreamPort("w", "in", 1, 2, 1, bipolar=True), np.array([[1, -1], [1, 0]]))
    assert str(error.value) == "stream w: value 0 at [1, 1] is neither -1 nor 1 (BIPOLAR)"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("x", "in", 65, 1, 1), "stream x: element width must be 1..64 bits, not 65"),
        (("x", "up", 8, 1, 1), "stream x: direction must be 'in' or 'out', not 'up'"),
        (("x", "in", 8, 0, 1), "stream x: lanes and beats must be positive, not 0 and 1"),
        (("x", "in", 2, 1, 1, True, True), "stream x: bipolar elements have 1 bit, not 2"),
    ],
)
def test_impossible_ports_are_refused(arguments: tuple[Any, ...], text: str) -> None:
    with pytest.raises(SimError) as error:
        StreamPort(*arguments)
    assert str(error.value) == text


def test_sizes_of_a_padded_beat() -> None:
    port = StreamPort("s_axis", "in", 3, 5, 7)
    assert (port.bits, port.tdata_bits, port.beat_bytes, port.elements, port.frame_bytes) == (15, 16, 2, 35, 14)
