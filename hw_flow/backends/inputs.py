"""Frames to verify with: the user's file, or seeded random ones that include the extremes."""

from __future__ import annotations

import io
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.ir import Tensor
from hw_flow.ir.tensor import FloatArray, IntArray
from hw_flow.storage import write_bytes

if TYPE_CHECKING:
    from hw_flow.backends.protocol import Compiled

# How far random floats reach beyond the input quantiser's range, as a share of that range.
_MARGIN = 0.25
# Values in all random frames together: 2 GiB.
_MAX_VALUES = 1 << 28
# Amplitudes of frames besides the whole range and one step, as shares of half the range.
_SHARES = (1 / 2, 1 / 4, 1 / 16)
# Share of frames that are sparse, and the largest share of their elements that is drawn.
_SPARSE = 0.25
_DENSEST = 0.2


def frames(program: Compiled, x: np.ndarray | str | Path | None, samples: int, seed: int) -> IntArray | FloatArray:
    """Frames ``[N, *model input]`` from an array, from a file, or drawn at random if ``x`` is None."""
    if x is None:
        size = prod(program.input_frame)
        if seed < 0:
            raise FlowError(f"--seed {seed}; give 0 or more")
        if samples * size > _MAX_VALUES:
            raise FlowError(f"--samples {samples}: frames of {size:,} values; give at most {_MAX_VALUES // size:,} samples")
        return random_frames(program, samples, seed)
    if isinstance(x, np.ndarray):
        return as_frames(x, program.input_frame, "the given array")
    return load_frames(Path(x), program.input_frame)


def load_frames(path: Path, shape: tuple[int, ...]) -> IntArray | FloatArray:
    """Frames from an ``.npy`` file as ``[N, *shape]``.

    Axes of length 1 may be left out or added, and a frame may be flat (in C order) where the model's is not, or the reverse.

    Parameters
    ----------
    shape : of one frame in the ONNX model.

    Raises
    ------
    FlowError : no such file, no numeric ``.npy``, wrong shape, no frame.
    """
    x = _read_npy(path, "inputs", f"[N, {_sizes(shape)}]")
    if x is None or x.dtype.kind not in "iufb":
        found = "an archive" if x is None else x.dtype
        raise FlowError(f"{path}: holds {found}, not numbers; save one array [N, {_sizes(shape)}]")
    return as_frames(x, shape, str(path))


def load_labels(path: Path) -> IntArray:
    """Classes ``[N]`` from an ``.npy`` file."""
    labels = _read_npy(path, "labels", "integers [N]")
    if labels is None or labels.dtype.kind not in "iu":
        raise FlowError(f"{path}: labels are {labels.dtype if labels is not None else 'an archive'}; "
                        "save integers [N] with numpy.save")
    return labels.reshape(-1).astype(np.int64)


def _read_npy(path: Path, what: str, wanted: str) -> np.ndarray | None:
    """The array in an ``.npy`` file, None for an ``.npz`` archive; FlowError, before any memory is claimed, for anything else."""
    try:
        with path.open("rb") as file:
            if file.read(2) == b"PK":
                return None
            file.seek(0)
            held = path.stat().st_size
            if held and file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
                raise FlowError(f"{path}: not an .npy file; save the {what} with numpy.save as {wanted}")
            file.seek(0)
            claimed = _claim(file) if held else 0
        if claimed > held:
            raise FlowError(f"{path}: damaged (its header claims {claimed:,} bytes, the file holds {held:,}); "
                            f"save it again as {wanted}")
        x: np.ndarray = np.load(path, allow_pickle=False)
    except OSError as error:
        reason = error.strerror or "not an .npy file"
        raise FlowError(f"{path}: cannot read the {what} ({reason}); give an .npy array {wanted}") from error
    except EOFError as error:
        raise FlowError(f"{path}: is empty; save the {what} with numpy.save as {wanted}") from error
    except (ValueError, TypeError, SyntaxError, TokenError) as error:
        raise FlowError(f"{path}: not a plain .npy array ({error}); save it with numpy.save as {wanted}") from error
    return x


def _claim(file: BinaryIO) -> int:
    """Bytes that an ``.npy`` file has by its own header."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return file.tell() + (0 if dtype.hasobject else prod(shape) * dtype.itemsize)


def save_array(path: Path, values: np.ndarray) -> None:
    """Write an ``.npy`` file atomically."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_bytes(path, buffer.getvalue())


def as_frames(x: np.ndarray, shape: tuple[int, ...], what: str) -> IntArray | FloatArray:
    """``x`` as ``[N, *shape]``; FlowError naming ``what`` if it cannot be."""
    wanted = tuple(size for size in shape if size != 1)
    given = tuple(size for size in x.shape[1:] if size != 1)
    flat = len(given) == 1 or len(wanted) == 1
    if x.ndim == 0 or not (given == wanted or (flat and prod(given) == prod(wanted))):
        forms = f"[N, {_sizes(shape)}]" + (f" or [N, {prod(shape)}]" if len(shape) > 1 else "")
        raise FlowError(f"{what}: inputs have shape [{_sizes(x.shape)}]; expected {forms}")
    if len(x) == 0:
        raise FlowError(f"{what}: inputs hold no frame; give at least one")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise FlowError(f"{what}: inputs hold NaN or infinity; give finite numbers")
    framed = x.reshape(len(x), *shape)
    return framed.astype(np.float64) if x.dtype.kind == "f" else framed.astype(np.int64)


def random_frames(program: Compiled, samples: int, seed: int) -> IntArray | FloatArray:
    """Seeded frames ``[samples, *model input]`` in the model's own domain.

    The first frames are all at the lowest value, all at the highest, and the two in turn. Every other one draws its
    amplitude around a random centre (the whole range down to one step either way), and one in four is sparse: uniform
    values of full scale alone saturate the inner layers. BIPOLAR frames draw the share of +1 instead. Floats reach a quarter
    beyond the range at full amplitude, so that the quantiser also saturates.
    """
    if samples < 1:
        raise FlowError(f"--samples {samples}; give at least 1")
    rng = np.random.default_rng(seed)
    shape, span = (samples, *program.input_frame), program.input_span
    if span is None:
        tensor = program.graph.tensors[program.graph.inputs[0]]
        return _integers(tensor, samples, prod(program.input_frame), rng).reshape(shape)
    low, high, step = span
    drawn = _mixture((samples, prod(program.input_frame)), (low, high), step, rng)
    _extremes(drawn, low, high)
    return drawn.reshape(shape)


def _integers(tensor: Tensor, samples: int, elements: int, rng: np.random.Generator) -> IntArray:
    low, high = tensor.limits
    if tensor.dtype == "BIPOLAR":
        share = rng.uniform(0, 1, (samples, 1))
        drawn: IntArray = np.where(rng.random((samples, elements)) < share, 1, -1).astype(np.int64)
    else:
        # Half a step more at each end, so that the ends are as likely as the rest.
        wide = _mixture((samples, elements), (low - 0.5, high + 0.5), 1.0, rng, beyond=0.0)
        drawn = np.clip(np.rint(wide, out=wide), low, high, out=wide).astype(np.int64)
    _extremes(drawn, low, high)
    return drawn


def _mixture(
    shape: tuple[int, int], span: tuple[float, float], step: float, rng: np.random.Generator, *, beyond: float = _MARGIN,
) -> FloatArray:
    """Frames ``[N, elements]`` of different amplitudes, some sparse.

    Parameters
    ----------
    span : lowest and highest value.
    step : distance of neighbouring levels.
    beyond : how far frames of full amplitude reach past ``span``, as a share of it.
    """
    (low, high), frames = span, (shape[0], 1)
    middle, half = (low + high) / 2, (high - low) / 2
    amplitudes = np.array([half * (1 + 2 * beyond), *(max(half * share, step) for share in _SHARES), step])
    reach = amplitudes[rng.integers(len(amplitudes), size=frames)]
    centre = middle + rng.uniform(-1, 1, frames) * np.maximum(half - reach, 0)
    drawn: FloatArray = rng.uniform(-1, 1, shape)
    drawn *= reach
    drawn += centre
    for row in np.flatnonzero(rng.random(shape[0]) < _SPARSE):
        drawn[row, rng.random(shape[1]) >= rng.uniform(0, _DENSEST)] = min(max(0.0, low), high)
    return drawn


def _extremes(flat: np.ndarray, low: float, high: float) -> None:
    for row, (even, odd) in enumerate(((low, low), (high, high), (low, high))):
        if row + 1 < len(flat):
            flat[row, 0::2], flat[row, 1::2] = even, odd


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
