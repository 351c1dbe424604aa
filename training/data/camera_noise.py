# SPDX-License-Identifier: Apache-2.0
"""What cameras and files do to a picture, batched on the device: focus, motion, exposure, colour, grain, JPEG.

Pictures are (B, 3, S, S) sRGB in [0, 1]. Every effect is drawn per picture; the rest of the batch does not see it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from .dice import Dice

__all__ = ["blur", "develop", "jpeg"]

# Standard JPEG luminance table (ITU-T T.81, annex K.1); chrominance is coarser.
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def blur(image: Tensor, across: Tensor, angle: Tensor | None = None, along: Tensor | None = None) -> Tensor:
    """Gaussian blur, (B,) standard deviation in pixels, and longer by (B,) ``along`` in the direction ``angle``."""
    radius = 5
    step = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    y, x = torch.meshgrid(step, step, indexing="ij")
    across = across.clamp_min(0.05)[:, None, None]
    if angle is None or along is None:
        kernel = torch.exp(-0.5 * (x * x + y * y) / across**2)
    else:
        c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
        far = (across**2 + along[:, None, None] ** 2).sqrt()
        kernel = torch.exp(-0.5 * (((c * x + s * y) / far) ** 2 + ((c * y - s * x) / across) ** 2))
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    batch, channels, height, width = image.shape
    flat = pad(image, (radius,) * 4, mode="replicate").reshape(1, batch * channels, height + 10, width + 10)
    weight = kernel.repeat_interleave(channels, 0)[:, None]
    return conv2d(flat, weight, groups=batch * channels).reshape(image.shape)


def _cosines(device: torch.device) -> Tensor:
    """(8, 8) orthonormal DCT-II."""
    k, n = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    table = torch.cos(math.pi * (2 * n + 1) * k / 16) * 0.5
    table[0] *= math.sqrt(0.5)
    return table.to(device)


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """Compress and expand (B, 3, H, W) at (B,) quality 1..100: 8 x 8 cosine blocks, rounded by the standard tables.

    Chroma is kept at full size (4:4:4); sizes that are no multiple of 8 repeat their border.
    """
    batch, _, height, width = image.shape
    ycc = torch.einsum("kc,bchw->bkhw", image.new_tensor(_YCC), image * 255)
    ycc = ycc - image.new_tensor([128.0, 0, 0])[:, None, None]
    ycc = pad(ycc, (0, -width % 8, 0, -height % 8), mode="replicate")
    rows, columns = ycc.shape[2] // 8, ycc.shape[3] // 8
    blocks = ycc.reshape(batch, 3, rows, 8, columns, 8).permute(0, 1, 2, 4, 3, 5)
    cosines = _cosines(image.device)
    scale = torch.where(quality < 50, 5000 / quality.clamp_min(1), 200 - 2 * quality) / 100
    tables = image.new_tensor([_LUMA, _CHROMA, _CHROMA]).reshape(1, 3, 8, 8)
    step = (tables * scale[:, None, None, None]).round().clamp(1, 255)[:, :, None, None]
    found = torch.round((cosines @ blocks @ cosines.T) / step) * step
    ycc = (cosines.T @ found @ cosines).permute(0, 1, 2, 4, 3, 5).reshape(batch, 3, rows * 8, columns * 8)
    ycc = ycc[..., :height, :width] + image.new_tensor([128.0, 0, 0])[:, None, None]
    back = torch.linalg.inv(torch.tensor(_YCC, dtype=torch.float64)).to(image)
    return (torch.einsum("ck,bkhw->bchw", back, ycc) / 255).clamp(0, 1)


def _some(image: Tensor, chosen: Tensor, change) -> Tensor:  # type: ignore[no-untyped-def]
    """Apply a change to the chosen rows only."""
    rows = chosen.nonzero()[:, 0]
    return image.index_copy(0, rows, change(image[rows], rows)) if len(rows) else image


def develop(image: Tensor, dice: Dice, strength: float = 1.0) -> Tensor:
    """Photograph pictures once more, with a random camera each.

    Args:
        image: (B, 3, S, S) sRGB in [0, 1].
        dice: random numbers.
        strength: 0 leaves pictures as they are, 1 is what a mixed collection of photos shows.
    """
    count, size = len(image), image.shape[-1]
    if strength <= 0:
        return image
    unit = size / 224
    soft = dice.uniform(0.3, 1.5, count) * unit * strength
    angle, along = dice.uniform(0, math.pi, count), dice.uniform(0.5, 3.5, count) * unit * strength
    moving = dice.coin(0.12, count)
    blurred = dice.coin(0.35 * strength, count) | moving
    share = dice.uniform(0.3, 0.8, count)
    small = dice.coin(0.15 * strength, count)
    image = _some(image, blurred, lambda x, r: blur(x, soft[r], angle[r], along[r] * moving[r]))
    for level in (0.35, 0.5, 0.7):  # a few sizes, so that rows can share a resampling
        group = small & ((share - level).abs() < 0.12)
        image = _some(image, group, lambda x, _, level=level: _shrunk(x, level))
    gain = torch.exp(0.12 * strength * dice.normal(count, 1)) * (1 + 0.04 * strength * dice.normal(count, 3))
    gamma = torch.exp(0.2 * strength * dice.normal(count, 1))
    image = image.clamp(1e-4, 1) ** gamma[..., None, None] * gain[..., None, None]
    grey = image.mean(1, keepdim=True)
    colour = torch.where(
        dice.coin(0.08 * strength, count), 0.0, (1 + 0.15 * strength * dice.normal(count)).clamp(0.4, 1.35)
    )
    image = grey + (image - grey) * colour[:, None, None, None]
    middle = image.mean((1, 2, 3), keepdim=True)
    image = middle + (image - middle) * torch.exp(0.12 * strength * dice.normal(count, 1, 1, 1))
    grain = dice.uniform(0.002, 0.02, count) * dice.coin(0.7, count) * strength
    coarse = dice.coin(0.3, count)[:, None, None, None]  # colour noise of weak sensors
    mono = dice.normal(count, 1, size, size)
    noise = torch.where(coarse, 0.7 * mono + dice.normal(count, 3, size, size), mono)
    # Photons are counted: the noise grows with the root of the light.
    image = image + grain[:, None, None, None] * noise * (0.4 + image.clamp(0, 1).sqrt())
    quality = dice.uniform(25, 95, count)
    return _some(image.clamp(0, 1), dice.coin(0.5 * strength, count), lambda x, r: jpeg(x, quality[r]))


def _shrunk(image: Tensor, share: float) -> Tensor:
    size = image.shape[-1]
    small = interpolate(image, size=max(2, round(size * share)), mode="bilinear", antialias=True, align_corners=False)
    return interpolate(small, size=size, mode="bicubic", align_corners=False).clamp(0, 1)
