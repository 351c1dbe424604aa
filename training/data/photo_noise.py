# SPDX-License-Identifier: Apache-2.0
"""Light, colour, sharpness and noise of photos changed at random, a whole batch at once on its device.

The seven changes, chances and limits of the original (specification, section 7.6), which used a library that works on
one picture at a time on the CPU and is no longer kept under its free licence. Each is a few lines on tensors.
All take (B, 3, H, W) in [0, 1] and per-picture amounts (B,), and return the same, clamped.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .dice import Dice

__all__ = ["blur", "brightness_contrast", "clahe", "colour_jitter", "gamma", "hue_turned", "photo_noise", "rgb_shift"]

_LUMA = (0.299, 0.587, 0.114)


def _luma(image: Tensor) -> Tensor:
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _each(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)


def brightness_contrast(image: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """``(1 + contrast) image + brightness``."""
    return (image * _each(1 + contrast) + _each(brightness)).clamp(0, 1)


def gamma(image: Tensor, power: Tensor) -> Tensor:
    """``image ** power``."""
    return image.clamp(0, 1) ** _each(power)


def hue_turned(image: Tensor, turn: Tensor) -> Tensor:
    """Hues turned by a share of the colour circle; value and saturation of the HSV model stay.

    Source: A. R. Smith, Color Gamut Transform Pairs, SIGGRAPH 1978.
    """
    high, low = image.amax(1), image.amin(1)
    span = (high - low).clamp_min(1e-8)
    r, g, b = image.unbind(1)
    hue = torch.where(high == r, (g - b) / span, torch.where(high == g, (b - r) / span + 2, (r - g) / span + 4))
    hue = (hue + 6 * turn.reshape(-1, 1, 1)) % 6
    k = (image.new_tensor([5.0, 3.0, 1.0])[:, None, None] + hue[:, None]) % 6
    return high[:, None] - (high - low)[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


def colour_jitter(image: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Factors (1 leaves as it is) of brightness, of contrast about the mean grey, of saturation; a turn of the hue."""
    image = (image * _each(brightness)).clamp(0, 1)
    grey = _luma(image)
    mean = grey.mean((2, 3), keepdim=True)
    image = (mean + (image - mean) * _each(contrast)).clamp(0, 1)
    grey = _luma(image)
    image = (grey + (image - grey) * _each(saturation)).clamp(0, 1)
    return hue_turned(image, hue)


def rgb_shift(image: Tensor, shift: Tensor) -> Tensor:
    """Each channel brighter or darker by (B, 3)."""
    return (image + shift[:, :, None, None]).clamp(0, 1)


def blur(image: Tensor, half: Tensor) -> Tensor:
    """Mean over boxes of 2 half + 1 pixels, ``half`` (B,) from 0 to 3; edges are mirrored."""
    out = image
    for radius in (1, 2, 3):
        padded = F.pad(image, (radius,) * 4, mode="reflect")
        out = torch.where(_each(half == radius), F.avg_pool2d(padded, 2 * radius + 1, stride=1), out)
    return out


def equalised(grey: Tensor, clip: Tensor, grid: int = 8) -> Tensor:
    """Contrast-limited adaptive histogram equalisation of (B, H, W) in [0, 1], as OpenCV defines it.

    256 levels, ``grid`` x ``grid`` tiles, histograms cut at ``clip`` (B,) times their mean, what was cut spread evenly,
    look-up tables blended between tiles. Source: Zuiderveld, Graphics Gems IV, 1994.
    """
    batch, height, width = grey.shape
    tall, wide = -(-height // grid), -(-width // grid)
    whole = F.pad(grey[:, None], (0, wide * grid - width, 0, tall * grid - height), mode="reflect")[:, 0]
    levels = (whole.clamp(0, 1) * 255).round().long()
    tiles = levels.reshape(batch, grid, tall, grid, wide).permute(0, 1, 3, 2, 4).reshape(batch, grid * grid, -1)
    area = tall * wide
    ones = torch.ones(1, device=grey.device).expand_as(tiles)
    histogram = torch.zeros(batch, grid * grid, 256, device=grey.device).scatter_add_(2, tiles, ones)

    limit = (clip.reshape(-1, 1, 1) * area / 256).floor().clamp_min(1)
    over = (histogram - limit).clamp_min(0).sum(2, keepdim=True)
    histogram = histogram.minimum(limit) + (over / 256).floor()
    left = over % 256  # what does not divide evenly goes to every so manieth level
    step = (256 / left.clamp_min(1)).floor().clamp_min(1)
    level = torch.arange(256, device=grey.device)
    histogram = histogram + ((level % step == 0) & (level / step < left)).float()
    table = (histogram.cumsum(2) * (255 / area)).round().clamp(0, 255)

    def between(count: int, tile: int) -> tuple[Tensor, Tensor, Tensor]:
        at = torch.arange(count, device=grey.device) / tile - 0.5
        first = at.floor()
        return first.clamp(0, grid - 1).long(), (first + 1).clamp(0, grid - 1).long(), at - first

    levels = levels[:, :height, :width].reshape(batch, -1)
    (top, bottom, down), (left_tile, right, along) = between(height, tall), between(width, wide)

    def looked(rows: Tensor, columns: Tensor) -> Tensor:
        tile = (rows[:, None] * grid + columns[None]).reshape(-1)
        return table.reshape(batch, -1).gather(1, tile * 256 + levels).reshape(batch, height, width)

    upper = looked(top, left_tile) * (1 - along) + looked(top, right) * along
    lower = looked(bottom, left_tile) * (1 - along) + looked(bottom, right) * along
    return (upper * (1 - down[:, None]) + lower * down[:, None]).round() / 255


def clahe(image: Tensor, clip: Tensor, grid: int = 8) -> Tensor:
    """:func:`equalised` luma; the channels move by what the luma moves by, so that hues hold."""
    grey = _luma(image)
    return (image + equalised(grey[:, 0], clip, grid)[:, None] - grey).clamp(0, 1)


def _grain(image: Tensor, deviation: Tensor, normal: Tensor) -> Tensor:
    return (image + _each(deviation) * normal).clamp(0, 1)


def partly(image: Tensor, hit: Tensor, change: Callable[..., Tensor], *amounts: Tensor, all_rows: bool) -> Tensor:
    """``change(image, *amounts)`` where ``hit`` (B,) says so; ``all_rows`` computes it for every picture and picks."""
    if all_rows:
        return torch.where(_each(hit), change(image, *amounts), image)
    rows = hit.nonzero()[:, 0]
    if not len(rows):
        return image
    return image.index_copy(0, rows, change(image[rows], *(a[rows] for a in amounts)))


def photo_noise(image: Tensor, dice: Dice) -> Tensor:
    """All seven, each with its chance."""
    count = len(image)

    def maybe(chance: float, image: Tensor, change: Callable[..., Tensor], *amounts: Tensor) -> Tensor:
        # To know which ones were hit, the processor would have to wait for the device: there all are changed.
        return partly(image, dice.coin(chance, count), change, *amounts, all_rows=image.device.type != "cpu")

    def near(width: float, middle: float = 0.0) -> Tensor:
        return dice.uniform(middle - width, middle + width, count)

    image = maybe(0.5, image, brightness_contrast, near(0.2), near(0.2))
    image = maybe(0.5, image, gamma, near(0.2, 1.0))
    image = maybe(0.25, image, colour_jitter, near(0.05, 1), near(0.05, 1), near(0.05, 1), near(0.05))
    image = maybe(0.255, image, clahe, dice.uniform(1, 4, count))
    image = maybe(0.25, image, rgb_shift, dice.uniform(-20 / 255, 20 / 255, count, 3))
    image = maybe(0.1, image, blur, dice.uniform(1, 4, count).floor())
    deviation = dice.uniform(10, 50, count).sqrt() / 255
    return maybe(0.5, image, _grain, deviation, dice.normal(*image.shape))
