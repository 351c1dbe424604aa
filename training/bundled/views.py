# SPDX-License-Identifier: Apache-2.0
"""Faces of a bank as the networks see them: mirrored, in other light, blurred, with things in front of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from smirk_core.heads.head_model import HeadModel

from ..data.covers import soft_shapes
from ..data.dice import Dice
from ..data.mirror import Mirror
from .answers import Answers

__all__ = ["View", "Views", "cover"]


@dataclass(frozen=True)
class View:
    """A batch to learn from.

    Attributes:
        image: (B, 3, S, S) float in [0, 1].
        groups: (B, G) truth in units of spread.
        places: (B, P, 2) of the dense points in the crop.
        visible: (B, R) share of each region's points that nothing covers.
        open: (B, P) bool, points that nothing covers.
    """

    image: Tensor
    groups: Tensor
    places: Tensor
    visible: Tensor
    open: Tensor


class Views:
    """Makes views of pictures with truth.

    Args:
        answers: layout of the truth.
        model: the head.
        covers: chance of a picture to be partly covered.
    """

    def __init__(self, answers: Answers, model: HeadModel, covers: float = 0.25) -> None:
        self.answers, self.covers = answers, covers
        self.mirror = Mirror.of(model)

    def __call__(self, pictures: Tensor, groups: dict[str, Tensor], dice: Dice, plain: bool = False) -> View:
        """(B, 3, S, S) uint8 and their groups, all on the device of the answers and of the dice.

        ``plain`` leaves the pictures as they are.
        """
        image = pictures.float() / 255
        count = len(image)
        if not plain:
            which = dice.coin(0.5, count)
            flipped = self.mirror.truth(groups)
            groups = {n: torch.where(which[:, None], flipped[n], v) for n, v in groups.items()}
            image = torch.where(which[:, None, None, None], image.flip(-1), image)
            image = _developed(image, dice)
        row, places = self.answers.truth(groups)
        seen = torch.ones(count, places.shape[1], dtype=torch.bool, device=image.device)
        if not plain and self.covers:
            image, mask = cover(image, places, dice, self.covers)
            seen = ~_covered(mask, places)
        share = self.answers.regions.float()
        visible = (seen.float() @ share.T) / share.sum(1)
        return View(image, row, places, visible, seen)


def _covered(mask: Tensor, places: Tensor) -> Tensor:
    """(B, P) bool whether the mask (B, 1, S, S) lies over places (B, P, 2)."""
    size = mask.shape[-1]
    at = ((places + 1) * (size / 2)).long().clamp(0, size - 1)
    return mask.reshape(len(mask), -1).gather(1, at[..., 1] * size + at[..., 0]) > 0.5


def _developed(image: Tensor, dice: Dice) -> Tensor:
    """Another exposure, colour balance, sharpness and grain."""
    count = len(image)
    gain = (0.18 * dice.normal(count, 1, 1, 1)).exp() * (0.07 * dice.normal(count, 3, 1, 1)).exp()
    grey = dice.coin(0.08, count, 1, 1, 1).float()
    grey = torch.maximum(grey, dice.uniform(0, 0.3, count, 1, 1, 1))
    image = torch.lerp(image, image.mean(1, keepdim=True), grey)
    middle = image.mean((1, 2, 3), keepdim=True)
    contrast = (0.15 * dice.normal(count, 1, 1, 1)).exp()
    image = ((image - middle) * contrast + middle) * gain
    for share, scale in ((0.12, 2), (0.05, 3)):  # small faces in wide shots
        rows = dice.coin(share, count).nonzero()[:, 0]
        if len(rows):
            size = image.shape[-1]
            small = avg_pool2d(image[rows], scale, ceil_mode=True)
            image[rows] = interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
    grain = dice.uniform(0, 0.03, count, 1, 1, 1) * dice.coin(0.5, count, 1, 1, 1)
    noise = dice.normal(8, *image.shape[1:])[dice.pick(8, count)]  # eight patterns are enough for a batch
    return torch.addcmul(image, grain, noise).clamp(0, 1)


def cover(
    image: Tensor, places: Tensor, dice: Dice, chance: float, largest: float = 0.55
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Things in front of faces: soft-edged ovals, boxes and bars, plain or with the texture of another picture.

    Args:
        image: (B, 3, S, S) in [0, 1].
        places: (B, P, 2) of points of the face; a cover's middle is one of them.
        chance: of a picture to be covered.
        largest: half axis of a cover in crop units.

    Returns:
        Pictures, and (B, 1, S, S) masks in [0, 1].
    """
    count, size = len(image), image.shape[-1]
    mask = torch.zeros(count, 1, size, size, device=image.device)
    rows = dice.coin(chance, count).nonzero()[:, 0]
    if not len(rows):
        return image, mask
    some = len(rows)
    line = (torch.arange(size, device=image.device) + 0.5) * (2 / size) - 1
    middle = places[rows, dice.pick(places.shape[1], some)]
    long = dice.uniform(0.12, largest, some)
    flat = dice.uniform(0.25, 1, some)
    long = torch.where(dice.coin(0.15, some), 3.0, long)  # a bar right across
    angle = dice.uniform(0, torch.pi, some)
    wide = torch.where(long > 2, 0.35, long) * flat
    shape = soft_shapes(line, middle[:, 0], middle[:, 1], long, wide, angle, dice, 0.03)
    other = image[(rows + 1) % count].flip(-2)  # real texture that is no face there
    colour = dice.uniform(0, 1, some, 3, 1, 1)
    skin = image[rows].mean((2, 3), keepdim=True)
    colour = torch.where(dice.coin(0.4, some, 1, 1, 1), skin, colour)  # hands
    plain = colour * (1 + 0.15 * dice.normal(some, 1, 1, 1) * line) + 0.03 * dice.normal(some, 1, size, size)
    paint = torch.where(dice.coin(0.4, some, 1, 1, 1), other, plain.clamp(0, 1))
    image = image.index_copy(0, rows, image[rows] + shape * (paint - image[rows]))
    return image, mask.index_copy(0, rows, shape)
