# SPDX-License-Identifier: Apache-2.0
"""What stands around a rendered head: an out-of-focus room behind it and a shirt over the cut of its neck."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

__all__ = ["backdrop", "shirt"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]


def backdrop(rng: np.random.Generator, width: int, height: int) -> Picture:
    """(H, W, 3) a room out of focus: a lit wall, a few large shapes, a few lights."""
    w, h = 96, max(8, round(96 * height / width))
    row, column = np.mgrid[:h, :w] / np.array([h, w])[:, None, None]
    wall = rng.uniform(0.18, 0.75) * rng.normal(1, 0.08, 3)
    lamp = rng.uniform(-0.2, 1.2, 2)
    falloff = np.exp(-((column - lamp[0]) ** 2 + (row - lamp[1]) ** 2) / rng.uniform(0.4, 1.5))
    room = wall * (0.55 + 0.6 * falloff[..., None])
    for _ in range(rng.integers(3, 9)):  # furniture, windows, pictures
        x, y = rng.uniform(-0.2, 1.0, 2)
        wide, tall = rng.uniform(0.1, 0.6, 2)
        inside = (column > x) & (column < x + wide) & (row > y) & (row < y + tall)
        colour = rng.uniform(0.05, 0.85) * np.clip(rng.normal(1, 0.25, 3), 0.2, 2)
        room = np.where(inside[..., None], 0.35 * room + 0.65 * colour, room)
    room = gaussian_filter(room, (*[rng.uniform(1.5, 6)] * 2, 0))
    for _ in range(rng.integers(0, 5)):  # lights
        x, y = rng.uniform(0, 1, 2)
        disc = np.hypot((column - x) * w, (row - y) * h) < rng.uniform(1.5, 5)
        room = room + gaussian_filter(disc.astype(float), 0.8)[..., None] * rng.uniform(0.1, 0.4) * rng.normal(
            1, 0.2, 3
        )
    full = np.asarray(zoom(np.clip(room, 0, 1), (height / h, width / w, 1), order=1, mode="nearest", grid_mode=True))
    full = full + rng.normal(0, 0.004, full.shape)  # keeps smooth walls from banding
    return np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8)


def shirt(
    rng: np.random.Generator, width: int, height: int, neck: tuple[float, float], half: float, light: float = 0.8
) -> tuple[Picture, npt.NDArray[np.float32]]:
    """A crew-neck shirt with shoulders, to be laid over a picture of a head.

    Args:
        rng: picks cloth and folds.
        width, height: picture size.
        neck: (u, v) in pixels, the pit of the throat, where the collar is lowest.
        half: half of the neck's width in pixels.
        light: brightness of the scene, 1 as painted.

    Returns:
        image (H, W, 3) uint8 and alpha (H, W) float32.
    """
    row, column = np.mgrid[:height, :width].astype(np.float64)
    across = (column - neck[0]) / half
    down = (row - neck[1]) / half
    # The collar hangs between two points beside the neck, from where the shoulders slope away.
    collar = -0.55 * (np.clip(np.abs(across), 0, 2) / 1.25) ** 2.2
    shoulder = -0.55 + 0.34 * (np.abs(across) - 1.25) + 0.05 * np.clip(np.abs(across) - 1.9, 0, None) ** 2
    edge = 0.06 * np.logaddexp(collar / 0.06, shoulder / 0.06)  # the lower of the two, rounded where they meet
    alpha = np.clip((down - edge) * half / 1.5 + 0.5, 0, 1).astype(np.float32)
    cloth = rng.uniform(0.08, 0.6) * np.clip(rng.normal(1, 0.3, 3), 0.3, 1.7)
    folds = gaussian_filter(rng.standard_normal((height, width)), (0.35 * half, 0.12 * half))
    folds /= max(float(folds.std()), 1e-9)
    round_shoulder = 1.0 - 0.16 * np.clip(np.abs(across) - 0.6, 0, 3) ** 1.5 / 2
    band = np.where((down - edge < 0.16) & (np.abs(across) < 1.4), 0.86, 1.0)
    rim = 1 - 0.35 * np.exp(-(((down - edge) / 0.05) ** 2))
    shade = light * (1 + 0.05 * folds) * round_shoulder * band * rim * (0.95 + 0.1 * np.clip(down, 0, 2))
    image = np.clip(cloth * shade[..., None], 0, 1)
    return np.rint(255 * image).astype(np.uint8), alpha
