"""Augmentation of images that are tensors already, whole batches at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """Random changes to images of ``rows x columns``.

    Attributes
    ----------
    image : (rows, columns).
    shift : pixels up, down, left and right; a map of one row moves along it only.
    flip : left and right are exchanged in half of the images.
    cutout : edge of a square that is blanked, DeVries and Taylor, arXiv 1708.04552.
    """

    image: tuple[int, int]
    shift: int = 0
    flip: bool = False
    cutout: int = 0

    def __bool__(self) -> bool:
        return bool(self.shift or self.flip or self.cutout)

    @property
    def _most(self) -> tuple[int, int]:
        rows, columns = (self.shift if size > 1 else 0 for size in self.image)
        return rows, columns

    def prepared(self, x: Tensor) -> Tensor:
        """Images ``[N, features]`` as ``[N, channels, rows, columns]`` with a border of zeros as wide as the shift."""
        down, right = self._most
        return functional.pad(x.reshape(len(x), -1, *self.image), (right, right, down, down))

    def __call__(self, blanks: Tensor, rows: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The images ``rows`` of each of the `prepared` ``tensors``, all changed alike; ``[len(rows), features]`` each.

        Parameters
        ----------
        blanks : value of a blanked pixel in each tensor.
        """
        count, device = len(rows), rows.device
        high, wide = self.image
        starts = [torch.randint(0, 2 * most + 1, (count,), device=device) for most in self._most]
        mirrored = torch.rand(count, device=device) < 0.5 if self.flip else None
        hole = self._hole(count, device) if self.cutout else None
        found = []
        for tensor, blank in zip(tensors, blanks, strict=True):
            windows = tensor.unfold(2, high, 1).unfold(3, wide, 1)
            x = windows[rows, :, starts[0], starts[1]]
            if mirrored is not None:
                x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
            if hole is not None:
                x = torch.where(hole[:, None], blank, x)
            found.append(x.flatten(1))
        return tuple(found)

    def _hole(self, count: int, device: torch.device) -> Tensor:
        """Which pixels are blanked, bool ``[count, rows, columns]``; the square may reach over the border."""
        inside = []
        for size in self.image:
            centre = torch.randint(0, size, (count, 1), device=device)
            at = torch.arange(size, device=device)
            first = centre - self.cutout // 2
            inside.append((at >= first) & (at < first + self.cutout))
        return inside[0][:, :, None] & inside[1][:, None, :]
