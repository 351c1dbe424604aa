# SPDX-License-Identifier: Apache-2.0
"""Things in front of photographed faces, of an exact area, and which curves can then still be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull, Delaunay

from smirk_core.heads.landmark_sets import LIPS, MEDIAPIPE_105
from smirk_core.heads.parameters import ARKIT_NAMES

__all__ = ["KINDS", "REGIONS", "cover", "face_hull", "hidden_and_visible", "regions_of"]

Array = npt.NDArray[Any]
KINDS = ("hand", "paper", "ball")
_SOFT = 1.2  # pixels of the edge

# Landmarks that show a region's movement; left is the subject's.
REGIONS: Mapping[str, tuple[int, ...]] = {
    "brow left": MEDIAPIPE_105[:10],
    "brow right": MEDIAPIPE_105[10:20],
    "eye left": MEDIAPIPE_105[20:36],
    "eye right": MEDIAPIPE_105[36:52],
    "nose": MEDIAPIPE_105[52:65],
    "mouth": LIPS,
    "jaw": (152, 148, 176, 149, 377, 400, 378, 175, 199, 200, 18, 83, 313),
    "cheek left": (280, 425, 330, 266, 411, 352),
    "cheek right": (50, 205, 101, 36, 187, 123),
}


def regions_of(curve: str) -> tuple[str, ...]:
    """Regions without which a curve cannot be told.

    >>> regions_of("browInnerUp"), regions_of("mouthSmileLeft"), regions_of("eyeBlinkRight")
    (('brow left', 'brow right'), ('mouth',), ('eye right',))
    """
    side = "left" if curve.endswith("Left") else "right" if curve.endswith("Right") else ""
    if curve in ("jawLeft", "jawRight", "jawForward", "jawOpen"):
        return ("jaw", "mouth")
    if curve.startswith(("mouth", "tongue")):
        return ("mouth",)
    part = "brow" if curve.startswith("brow") else "eye" if curve.startswith("eye") else "cheek"
    if curve.startswith("noseSneer"):
        return ("nose",)
    return (f"{part} {side}",) if side else (f"{part} left", f"{part} right")


def face_hull(landmarks: Array, height: int, width: int) -> npt.NDArray[np.bool_]:
    """(H, W) the face: the convex hull of (478, 3) landmarks in pixels."""
    points = landmarks[:, :2].astype(float)
    hull = Delaunay(points[ConvexHull(points).vertices])
    low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
    x0, y0 = np.maximum(low, 0)
    x1, y1 = np.minimum(high, (width, height))
    out = np.zeros((height, width), bool)
    grid = np.stack(np.meshgrid(np.arange(x0, x1), np.arange(y0, y1)), -1)
    out[y0:y1, x0:x1] = hull.find_simplex(grid) >= 0
    return out


def _capsules(x: Array, y: Array, ends: Array, radius: float) -> Array:
    """(H, W) distance to the nearest of (K, 4) line segments, over the radius."""
    out = np.full(x.shape, np.inf)
    for ax, ay, bx, by in ends:
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        out = np.minimum(out, np.hypot(x - ax - along * dx, y - ay - along * dy) / radius)
    return out


def _reach(kind: str, x: Array, y: Array, flat: float) -> Array:
    """(H, W) 1 on the outline of a thing of size 1 about the origin, less inside."""
    if kind == "ball":
        return np.hypot(x, y / flat)
    if kind == "paper":
        return np.maximum(np.abs(x), np.abs(y) / flat)
    fingers = np.array([[t, -0.1, 1.25 * t, -1.1 + 0.5 * t * t] for t in (-0.51, -0.17, 0.17, 0.51)])
    return np.minimum(_capsules(x, y, fingers, 0.165), _capsules(x, y, np.array([[0, 0.25, 0, 0.9]]), 0.62))


def cover(
    picture: Array, landmarks: Array, share: float, kind: str, rng: np.random.Generator, other: Array | None = None
) -> tuple[Array, Array]:
    """A picture with a thing over a share of the face.

    Args:
        picture: (H, W, 3) uint8.
        landmarks: (478, 3) of its face, pixels.
        share: of the face's area that is to be hidden, to a hundredth.
        kind: one of :data:`KINDS`: a hand in the face's own colour, a sheet, a ball.
        rng: place, turn, shape and paint.
        other: (h, w, 3) uint8 whose texture a sheet or ball may wear.

    Returns:
        the picture (H, W, 3) uint8 and the hidden pixels (H, W) bool.
    """
    height, width = picture.shape[:2]
    hull = face_hull(landmarks, height, width)
    middle = landmarks[rng.integers(468), :2].astype(float)
    size = float(np.sqrt(hull.sum()))
    turn, flat = rng.uniform(-1.0, 1.0) if kind == "hand" else rng.uniform(0, np.pi), rng.uniform(0.5, 1.0)
    row, column = np.mgrid[:height, :width].astype(float)
    c, s = np.cos(turn), np.sin(turn)
    u, v = c * (column - middle[0]) + s * (row - middle[1]), c * (row - middle[1]) - s * (column - middle[0])
    small, large, half = 0.05 * size, 4.0 * size, size
    for _ in range(24):  # the covered share grows with the size
        enough = (hull & (_reach(kind, u / half, v / half, flat) < 1)).sum() >= share * hull.sum()
        small, large = (small, half) if enough else (half, large)
        half = float(np.sqrt(small * large))
    reach = _reach(kind, u / half, v / half, flat)
    hidden = np.asarray(reach < 1)
    soft = np.clip((1 - reach) * half / _SOFT + 0.5, 0, 1)[..., None]
    if kind == "hand":
        skin = np.median(picture[hull], axis=0) * rng.uniform(0.8, 1.1)
        round_ = np.sqrt(np.clip(1 - reach.clip(0, 1) ** 2, 0, 1))
        paint = skin * (0.6 + 0.4 * round_)[..., None]
    elif other is not None and rng.random() < 0.5:
        h, w = other.shape[:2]
        paint = other[::-1][np.arange(height)[:, None] * 7 % (2 * h) % h, np.arange(width) * 5 % (2 * w) % w].astype(
            float
        )
    else:
        shade = gaussian_filter(rng.normal(size=(height, width)), 0.06 * size)
        shade = 1 + 0.25 * shade / max(float(np.abs(shade).max()), 1e-9)
        paint = rng.uniform(20, 235, 3) * shade[..., None]
    out = picture * (1 - soft) + paint.clip(0, 255) * soft
    return (out + 0.5).astype(np.uint8), hidden


def hidden_and_visible(landmarks: Array, hidden: Array) -> tuple[Array, Array]:
    """(52,) bool: curves of which a region is at least half hidden, and curves all of whose regions are seen.

    Args:
        landmarks: (478, 3) of the face without its cover.
        hidden: (H, W) bool.
    """
    height, width = hidden.shape
    at = np.round(landmarks[:, :2]).astype(int).clip(0, (width - 1, height - 1))
    lost = hidden[at[:, 1], at[:, 0]]
    share = {name: lost[list(points)].mean() for name, points in REGIONS.items()}
    away = np.array([any(share[r] >= 0.5 for r in regions_of(n)) for n in ARKIT_NAMES])
    seen = np.array([all(share[r] < 0.05 for r in regions_of(n)) for n in ARKIT_NAMES])
    return away, seen
