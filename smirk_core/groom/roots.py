# SPDX-License-Identifier: Apache-2.0
"""Where hair grows: the hairline round the skull, the lines of a beard, and even samples of such places on the skin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel

__all__ = ["Roots", "around", "beard_height", "hair_height", "sample_roots"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
# Degrees from the front around the head, and the hairline's height over the eyes in distances between the eyes:
# forehead, temple, sideburn before the ear, over and behind the ear, nape.
_DEGREES = (0, 18, 32, 44, 54, 62, 68, 74, 79, 84, 104, 112, 122, 180)
_HEIGHTS = (1.27, 1.26, 1.22, 1.02, 0.78, 0.55, 0.15, -0.1, -0.1, 0.35, 0.38, -0.2, -0.9, -1.3)


@dataclass(frozen=True)
class Roots:
    """n places on the skin: ``points`` and outward ``normals`` (n, 3), and the corners and weights that hold them."""

    points: Floats
    normals: Floats
    corners: Ints
    weights: Floats


def _frame(model: HeadModel) -> tuple[Floats, float]:
    eyes = model.joint_regressor[3:5] @ model.template
    return eyes.mean(axis=0), float(np.linalg.norm(eyes[0] - eyes[1]))


def around(model: HeadModel, points: Floats) -> Floats:
    """(n,) degrees around the head, 0 in front, 90 at the subject's left."""
    middle, unit = _frame(model)
    place = (points - middle) / unit
    return np.degrees(np.arctan2(place[:, 0], place[:, 2] + 1.35))


def hair_height(model: HeadModel, points: Floats, receding: float = 0.0, crown: float = 0.0) -> Floats:
    """(n,) height over the hairline in distances between the eyes, negative on bare skin.

    Args:
        receding: 0 a young hairline, 1 far back, most at the corners of the forehead.
        crown: radius of a bald place on the crown, in distances between the eyes.
    """
    middle, unit = _frame(model)
    place = (points - middle) / unit
    turn = np.abs(around(model, points))
    line = np.interp(turn, _DEGREES, _HEIGHTS)
    corner = np.exp(-(((turn - 34) / 16) ** 2)) + 0.45 * np.exp(-((turn / 22) ** 2))
    height = place[:, 1] - line
    # On the flat top height says little: the hairline recedes along the skull, backwards.
    back = 1.35 * receding * corner
    top = np.clip((place[:, 1] - 1.2) / 0.5, 0, 1)
    height = height - back * (0.5 + 0.5 * (1 - top)) - back * top * 0.6 * np.clip(place[:, 2] + 1.0, 0, 1.5)
    if crown > 0:
        distance = np.linalg.norm(place - [0.0, 1.75, -2.0], axis=1)
        height = np.minimum(height, (distance - crown) * 0.8)
    return height


def beard_height(model: HeadModel, points: Floats, part: str = "full") -> Floats:
    """(n,) how far inside a beard, in distances between the eyes, negative outside.

    Args:
        part: ``full`` with cheeks and moustache, ``goatee`` around mouth and chin, ``moustache``, ``chin``.
    """
    middle, unit = _frame(model)
    lips = model.template[model.regions["lips"]]
    place = (points - middle) / unit
    far = np.abs(place[:, 0])
    seam = float((lips[:, 1].mean() - middle[1]) / unit)
    corner = float((np.abs(lips[:, 0]).max()) / unit)
    y = place[:, 1] - seam
    nose = np.interp(far, [0, 0.2, 0.36, 0.5], [0.36, 0.33, 0.26, 0.12])
    moustache = np.minimum(nose - y, y + 0.12) + np.interp(far, [0.02, 0.06], [-0.02, 0.02])
    moustache = np.minimum(moustache, (corner + 0.12 - far) * 0.8)
    cheek = np.interp(
        far, [0.0, corner, corner + 0.12, 0.8, 1.0, 1.15, 1.3], [-0.14, -0.05, 0.16, 0.24, 0.52, 0.95, 1.2]
    )
    low = np.interp(far, [0, 0.5, 0.9, 1.3], [-1.25, -1.2, -1.0, -0.5])  # on the throat
    front = place[:, 2] + np.interp(y, [-1.2, -0.6, 0, 0.8], [0.55, 0.9, 1.22, 1.36])
    cheeks = np.minimum.reduce([cheek - y, (y - low) * 0.7, front])
    chin = np.minimum.reduce([np.interp(far, [0, corner], [-0.2, -0.1]) - y, (y + 1.12), (0.42 - far)])
    beside = np.minimum.reduce(
        [nose - y, y + 0.55, far - corner * 0.86, corner + 0.16 - far]
    )  # past the mouth's corners
    shapes = {"moustache": [moustache], "chin": [chin], "goatee": [moustache, chin, beside]}
    return np.minimum(front, np.maximum.reduce(shapes.get(part, [moustache, chin, beside, cheeks])))


def sample_roots(model: HeadModel, allowed: Mask, chance: Floats, count: int, seed: int) -> Roots:
    """Even samples of the skin.

    Args:
        allowed: (V,) vertices that triangles may have.
        chance: (V,) share of roots that stay, 0 to 1, between the vertices linear.
        count: of samples before chance thins them.
        seed: of the order.
    """
    random = np.random.default_rng(seed)
    triangles = model.triangles[allowed[model.triangles].all(axis=1)]
    a, b, c = (model.template[triangles[:, k]].astype(np.float64) for k in range(3))
    cross = np.cross(b - a, c - a)
    area = np.linalg.norm(cross, axis=1)
    pick = random.choice(len(triangles), 12 * count, p=area / area.sum())
    u = random.random((12 * count, 2))
    u = np.where(u.sum(axis=1, keepdims=True) > 1, 1 - u, u)
    weights = np.stack([1 - u.sum(axis=1), u[:, 0], u[:, 1]], axis=1)
    corners = triangles[pick]
    points = (model.template[corners] * weights[..., None]).sum(axis=1)
    # Furthest first: each next root where there is most room.
    order, room = np.zeros(count, int), np.full(len(points), np.inf)
    for k in range(1, count):
        room = np.minimum(room, ((points - points[order[k - 1]]) ** 2).sum(axis=1))
        order[k] = room.argmax()
    keep = order[random.random(count) < (chance[corners[order]] * weights[order]).sum(axis=1)]
    return Roots(
        points=points[keep],
        normals=cross[pick[keep]] / area[pick[keep], None],
        corners=corners[keep],
        weights=weights[keep],
    )
