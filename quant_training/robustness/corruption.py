"""Common corruptions of inputs in [0, 1], after Hendrycks and Dietterich, arXiv 1903.12261, in three severities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from quant_training.errors import TrainingError

Array = NDArray[np.float32]
SEVERITIES = (1, 2, 3)


def _gaussian(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del shape
    noise: Array = x + np.float32(0.05 * 2 ** (severity - 1)) * generator.standard_normal(x.shape, np.float32)
    return noise


def _shot(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del shape
    photons = (60, 25, 10)[severity - 1]
    return (generator.poisson(x * photons) / photons).astype(np.float32)


def _impulse(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del shape
    hit = generator.random(x.shape) < (0.02, 0.05, 0.1)[severity - 1]
    return np.where(hit, generator.integers(0, 2, x.shape), x).astype(np.float32)


def _brightness(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del generator, shape
    return x + np.float32(0.1 * severity)


def _contrast(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    del generator, shape
    mean = x.mean(axis=1, keepdims=True)
    flat: Array = (x - mean) * np.float32((0.7, 0.5, 0.3)[severity - 1]) + mean
    return flat


def _blur(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    from scipy.ndimage import gaussian_filter

    del generator
    sigma = (0.4, 0.7, 1.0)[severity - 1]
    maps = x.reshape(len(x), -1, *shape[-2:])
    blurred: Array = gaussian_filter(maps, (0, 0, sigma if shape[-2] > 1 else 0, sigma)).reshape(x.shape)
    return blurred


def _occlusion(x: Array, severity: int, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    maps = x.reshape(len(x), -1, *shape[-2:]).copy()
    edges = [max(1, round(size * (0.15, 0.25, 0.35)[severity - 1])) for size in shape[-2:]]
    corners = np.stack([generator.integers(0, size - edge + 1, len(x)) for size, edge in zip(shape[-2:], edges, strict=True)])
    for image, (top, left) in zip(maps, corners.T, strict=True):
        image[:, top : top + edges[0], left : left + edges[1]] = 0
    return maps.reshape(x.shape)


_KINDS: Mapping[str, Callable[[Array, int, np.random.Generator, tuple[int, ...]], Array]] = {
    "gaussian_noise": _gaussian, "shot_noise": _shot, "impulse_noise": _impulse, "brightness": _brightness, "contrast": _contrast,
    "blur": _blur, "occlusion": _occlusion,
}
CORRUPTIONS = tuple(_KINDS)
_IMAGES = ("blur", "occlusion")


def applicable(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Corruptions that make sense for samples of this shape: blur and occlusion need images."""
    return CORRUPTIONS if len(shape) >= 2 else tuple(kind for kind in CORRUPTIONS if kind not in _IMAGES)


def corrupted(x: Array, kind: str, severity: int, shape: tuple[int, ...], *, seed: int = 0) -> Array:
    """Samples ``[N, features]`` in [0, 1] with a corruption.

    Parameters
    ----------
    kind, severity : one of ``CORRUPTIONS``; 1 to 3.
    shape : of one sample.
    """
    if kind not in applicable(shape) or severity not in SEVERITIES:
        raise TrainingError(f"robustness: no corruption '{kind}' of severity {severity} for samples of {list(shape)}; there are "
                            f"{', '.join(applicable(shape))}, 1 to 3")
    return np.clip(_KINDS[kind](x, severity, np.random.default_rng(seed), shape), 0, 1).astype(np.float32)
