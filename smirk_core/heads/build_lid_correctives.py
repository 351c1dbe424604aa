# SPDX-License-Identifier: Apache-2.0
"""Lids that stay on the eye: over the turning cornea, on the way of a blink, and where gaze and blink meet.

Three families of correctives, each solved on the mean head. While the eye turns, the margins of its lids rise and
sink with the cornea under them: least squares over a grid of gazes, in elements of the eye's rotation. A blink goes
around the eye: see :func:`smirk_core.heads.build_eyes.lid_arc`. And an upper lid that already follows a lowered gaze
has less way to go: at full closure it meets the lower lid wherever the eye looks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import FOLLOW, Assembly
from .build_eyes import clearance, lid_arc, lid_columns
from .build_seating import MARGIN_GAP
from .rotation import matrix_from_rotvec

__all__ = ["GAZE_ELEMENTS", "closed_looking_down", "lid_arcs", "over_cornea"]

Floats = npt.NDArray[np.floating[Any]]
MM = 1e-3
# Row-major elements of the eye's rotation that the lids follow: sin and cos about x, about y, and both at once.
GAZE_ELEMENTS = (7, 4, 2, 0, 1)
# Denser around the middle, where eyes mostly look.
_UPS = np.array([-0.42, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.32, 0.45])
_SIDES = np.array([-0.55, -0.35, -0.2, -0.08, 0.08, 0.2, 0.35, 0.55])
_PEOPLE = 150
_SUNK = 25.0  # how much worse a margin inside the eye is than one above it
_CLOSED_OVER = np.array([0.2, 1.1, 1.4, 1.6, 1.6]) * MM  # least clearance of closed lids over a lowered cornea


def _gazes() -> tuple[Floats, Floats]:
    """(G, 5) features and (G, 3) directions of a grid of gazes."""
    angles = np.array([[x, y, 0.0] for x in _UPS for y in _SIDES])
    turns = np.asarray(matrix_from_rotvec(angles))
    features = (turns - np.eye(3)).reshape(-1, 9)[:, GAZE_ELEMENTS]
    return features, turns[:, :, 2]


def over_cornea(
    skin: Floats, rings: npt.NDArray[np.integer[Any]], first_lid: int, centre: Floats, follow: Floats,
    margins: Floats, radii: Floats,
) -> Floats:  # fmt: skip
    """(5, S, 3) displacements per feature of :data:`GAZE_ELEMENTS`: ``follow`` with the cornea added.

    Args:
        skin: (S, 3) template; ``rings`` and ``first_lid`` of one eye; ``centre`` of its ball.
        follow: (5, S, 3) how the lids glide after the gaze.
        margins: (N, 28, 3) and ``radii`` (N,) of random people, as in :class:`Seated`.
    """
    result = follow.copy()
    features, ways = _gazes()
    margin = skin[rings[first_lid]] - centre
    out = margin / np.linalg.norm(margin, axis=1, keepdims=True)
    glide = np.einsum("gf,fnc->gnc", features, follow[:, rings[first_lid]])
    wanted = np.stack(
        [
            MARGIN_GAP - clearance(margins[:_PEOPLE] + g, radii[:_PEOPLE, None], way).min(axis=0)
            for g, way in zip(glide, ways, strict=True)
        ]
    )
    weight = np.ones_like(wanted)
    lift = np.zeros((len(GAZE_ELEMENTS), len(margin)))
    for _ in range(12):
        for n in range(len(margin)):
            root = np.sqrt(weight[:, n])[:, None]
            lift[:, n] = np.linalg.lstsq(features * root, (wanted[:, n : n + 1] * root)[:, 0], rcond=None)[0]
        weight = np.where(features @ lift < wanted - 0.01 * MM, _SUNK, 1.0)
    for ring, share in zip(rings[first_lid:], FOLLOW, strict=False):
        result[:, ring] += share * lift[..., None] * out
    return result


def lid_arcs(assembly: Assembly, template: Floats, blinks: Floats, centres: Floats, radius: float) -> Floats:
    """(2, S, 3) per w (1 - w), left and right.

    Args:
        template: (V, 3); ``blinks``: (2, V, 3) full closures; ``centres``: (2, 3).
    """
    layout, skin = assembly.layout, assembly.slices["skin"]
    return np.stack(
        [
            lid_arc(template[skin], blinks[k, skin], layout.eye_rings[k], layout.first_lid, centres[k], radius)
            for k in range(2)
        ]
    )


def closed_looking_down(
    assembly: Assembly, side: int, template: Floats, blink: Floats, gaze: Floats, centre: Floats, radius: float,
    angle: float,
) -> Floats:  # fmt: skip
    """(S, 3) per w sin(d): what lets closed lids meet where they meet when the eye looks straight ahead.

    Args:
        side: 0 left, 1 right.
        template: (V, 3); ``blink``: (V, 3) its full closure; ``gaze``: (S, 3) what looking down by ``angle`` does.
    """
    layout = assembly.layout
    rings, first = layout.eye_rings[side], layout.first_lid
    skin = template[assembly.slices["skin"]]
    result = np.zeros_like(skin)
    margin = (skin - centre)[rings[first]]
    flip = 1 - 2 * side
    upper, lower = lid_columns(margin * [flip, 1, 1])
    x = flip * margin[:, 0]
    order = lower[np.argsort(x[lower])]
    below = gaze[rings[first, order]]
    carried = np.stack([np.interp(x[upper], x[order], v) for v in below.T], axis=1)
    for k, share in enumerate(FOLLOW):
        if first + k < len(rings):
            ring = rings[first + k, upper]
            result[ring] = share * carried - gaze[ring]
    result[rings[first - 1, upper]] = carried
    result[rings[first - 1, lower]] = gaze[rings[first, lower]]
    way = np.array([0, -np.sin(angle), np.cos(angle)])
    closed = skin - centre + blink[assembly.slices["skin"]] + gaze + result
    for ring, least in zip(rings[first:], _CLOSED_OVER, strict=False):
        point = closed[ring]
        short = np.maximum(least - clearance(point, radius, way), 0)
        result[ring] += short[:, None] * point / np.linalg.norm(point, axis=1, keepdims=True)
    return result / np.sin(angle)
