# SPDX-License-Identifier: Apache-2.0
"""Putting pictures together: a head over a frame, dots on landmarks, panels side by side with their names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Box", "blend", "crop", "draw_dots", "head_box", "label", "side_by_side"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]
Box = tuple[float, float, float]  # left and top pixel edge, side length, in full-frame pixels


def blend(frame: Picture, image: Picture, alpha: Floats, opacity: float = 1.0) -> Picture:
    """Lay ``image`` over ``frame``.

    Args:
        frame, image: (H, W, 3) uint8.
        alpha: (H, W) coverage of ``image`` in 0..1.
        opacity: how much of the frame it hides where it covers fully, 0..1.
    """
    weight = (alpha * np.float32(opacity))[..., None]
    mixed = frame + (image.astype(np.float32) - frame) * weight
    return np.rint(mixed).astype(np.uint8)


def draw_dots(
    image: Picture, points: Floats, colour: tuple[int, int, int] = (64, 255, 128), radius: float = 1.6
) -> Picture:
    """Copy of ``image`` with an antialiased dot at each point.

    Args:
        image: (H, W, 3) uint8.
        points: (L, 2 or more) columns u, v in pixels; the origin is the centre of the top-left pixel.
        colour: sRGB bytes.
        radius: pixels.
    """
    height, width = image.shape[:2]
    reach = int(np.ceil(radius + 0.5))
    points = np.asarray(points, np.float64)[:, :2]
    points = points[np.isfinite(points).all(axis=1) & (np.abs(points) < 1e6).all(axis=1)]
    step = np.arange(-reach, reach + 1)
    base = np.rint(points).astype(np.int64)
    column = base[:, 0, None, None] + step[None, None, :]
    row = base[:, 1, None, None] + step[None, :, None]
    away = np.hypot(column - points[:, 0, None, None], row - points[:, 1, None, None])
    cover = np.clip(radius + 0.5 - away, 0, 1)
    column, row = np.broadcast_arrays(column, row)
    used = (cover > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    alpha = np.zeros((height, width), np.float32)
    np.maximum.at(alpha, (row[used], column[used]), cover[used].astype(np.float32))
    return blend(image, np.broadcast_to(np.array(colour, np.uint8), image.shape), alpha)


def head_box(points: Floats, margin: float = 0.12) -> Box:
    """The square around points (..., 2 or more) in full-frame pixels, with ``margin`` of its side on each side."""
    flat = np.asarray(points).reshape(-1, points.shape[-1])[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    side = max(float((high - low).max()), 2.0) * (1 + 2 * margin)
    centre = (low + high) / 2
    return float(centre[0] - side / 2), float(centre[1] - side / 2), side


def crop(frame: Picture, box: Box, size: int, background: int = 24) -> Picture:
    """The square ``box`` of a frame, resampled to (size, size, 3); what lies outside the frame is dark grey."""
    left, top, side = box
    height, width = frame.shape[:2]
    # Only the part inside is handed to Pillow, so that a box much larger than the frame costs nothing.
    scale = size / side
    x0, y0 = max(left, -0.5), max(top, -0.5)
    x1, y1 = min(left + side, width - 0.5), min(top + side, height - 0.5)
    panel = np.full((size, size, 3), background, np.uint8)
    a, b = (round((v - left) * scale) for v in (x0, x1))
    c, d = (round((v - top) * scale) for v in (y0, y1))
    if b <= a or d <= c:
        return panel
    # Pillow's box counts from pixel edges, ours from pixel centres.
    source = (x0 + 0.5, y0 + 0.5, x1 + 0.5, y1 + 0.5)
    resampled = Image.fromarray(frame).resize((b - a, d - c), Image.Resampling.BILINEAR, box=source, reducing_gap=2.0)
    panel[c:d, a:b] = np.asarray(resampled)
    return panel


@lru_cache(maxsize=64)
def _text(words: str, height: int) -> Picture:
    font = ImageFont.load_default(size=height)
    left, top, right, bottom = font.getbbox(words)
    canvas = Image.new("L", (int(np.ceil(right - left)) + 2, int(np.ceil(bottom - top)) + 2))
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), words, fill=255, font=font)
    return np.asarray(canvas)


def label(image: Picture, words: str, height: int = 14) -> Picture:
    """Copy of ``image`` with ``words`` in its top-left corner, white on a soft dark plate."""
    if not words:
        return image.copy()
    text = _text(words, height)[:, : image.shape[1]]
    pad = max(height // 3, 2)
    rows = min(text.shape[0] + 2 * pad, image.shape[0])
    columns = min(text.shape[1] + 2 * pad, image.shape[1])
    result = image.copy()
    result[:rows, :columns] = result[:rows, :columns] // 3
    inner = result[pad : pad + text.shape[0], pad : pad + text.shape[1]]
    ink = text[: inner.shape[0], : inner.shape[1], None].astype(np.float32) / 255
    inner[:] = np.rint(inner + (255.0 - inner) * ink).astype(np.uint8)
    return result


def side_by_side(images: Sequence[Picture], labels: Sequence[str] = (), gap: int = 4) -> Picture:
    """Pictures of one height in a row, each with its name.

    Raises:
        ValueError: there is no picture, or their heights differ.
    """
    if not images or len({image.shape[0] for image in images}) != 1:
        raise ValueError(f"pictures of one height are needed, got heights {[i.shape[0] for i in images]}")
    named = [label(i, labels[k]) if k < len(labels) else i for k, i in enumerate(images)]
    bar = np.full((images[0].shape[0], gap, 3), 12, np.uint8)
    parts = [part for image in named for part in (image, bar)][:-1]
    return np.concatenate(parts, axis=1)
