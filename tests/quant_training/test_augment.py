"""Augmentation of image tensors."""

from __future__ import annotations

import torch

from quant_training.augment import Augmentation


def _augmented(change: Augmentation, images: torch.Tensor, blank: float = 0.0) -> torch.Tensor:
    torch.manual_seed(0)
    rows = torch.arange(len(images))
    return change(torch.tensor([blank]), rows, change.prepared(images))[0].reshape(-1, *change.image)


def test_shifts_move_images_by_whole_pixels() -> None:
    images = torch.arange(1.0, 10.0).reshape(1, 9).repeat(200, 1)
    moved = _augmented(Augmentation((3, 3), shift=1), images)
    places = {tuple(position) for position in (moved == 5).nonzero()[:, 1:].tolist()}
    assert places == {(row, column) for row in range(3) for column in range(3)}
    assert torch.equal(moved[(moved[:, 1, 1] == 5)][0], images[0].reshape(3, 3))


def test_a_sequence_moves_along_itself_only() -> None:
    moved = _augmented(Augmentation((1, 5), shift=2), torch.arange(1.0, 6.0).reshape(1, 5).repeat(300, 1))
    assert {int((row == 3).nonzero()[0, 1]) for row in moved} == {0, 1, 2, 3, 4}


def test_flips_are_of_half_the_images() -> None:
    images = torch.arange(6.0).reshape(1, 6).repeat(400, 1)
    flipped = _augmented(Augmentation((2, 3), flip=True), images)
    share = float((flipped[:, 0, 0] == 2).float().mean())
    assert 0.4 < share < 0.6
    assert torch.equal(flipped[flipped[:, 0, 0] == 2][0], images[0].reshape(2, 3).flip(1))


def test_cutout_blanks_a_square() -> None:
    cut = _augmented(Augmentation((8, 8), cutout=4), torch.ones(500, 64), blank=-1.0)
    blanked = (cut == -1).sum(dim=(1, 2))
    assert int(blanked.max()) == 16
    assert 4 <= int(blanked.min()) < 16  # the corner of a map keeps a quarter of the square


def test_several_tensors_change_alike() -> None:
    change = Augmentation((4, 4), shift=1, flip=True, cutout=2)
    x = torch.rand(50, 16)
    torch.manual_seed(3)
    a, b = change(torch.tensor([0.0, 0.0]), torch.arange(50), change.prepared(x), change.prepared(2 * x))
    assert torch.equal(2 * a, b)
