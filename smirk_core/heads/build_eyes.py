# SPDX-License-Identifier: Apache-2.0
"""Eyelids: openings that stay closable for every identity, and the blink, laid along the eyeball.

A blink is linear in its weight while lids turn about the ball, and one displacement has to close every identity.
Four things make that work. The population's lid openings are drawn towards the mean. At weight 1 the upper
margin lands on the lower one. A fold behind each margin, hidden inside the ball while the eye is open, comes
out in the last part of the closure and covers what a wider eye would leave uncovered. And a corrective that grows
with w (1 - w) bends the straight way of every vertex around ball and cornea.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["blink_shape", "clearance", "keep_lids", "lid_arc", "lid_columns", "opening_matrix"]

from .build_eyeballs import corneal_reach

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3
LOWER_RISE = 0.1  # of the opening: the lower lid's part in a blink
LOWER_SWELL = 0.3 * MM  # and how far it comes forward, so that the upper lid's fold stays behind it
SHORT = 0.45 * MM  # what the upper margin leaves to its fold, so that half a blink covers half the eye
FOLD = 2.9 * MM  # how far the folds reach beyond the margins
# How far the outer rings of the lid go with what the margin needs, beyond MakeHuman's blink.
_FOLLOW = np.array([1.0, 0.86, 0.7, 0.52, 0.35, 0.2, 0.09, 0.02])
MAKEHUMAN_SHARE = 0.72  # MakeHuman's blink overshoots; this much of it closes the mean eye


def lid_columns(margin: Floats) -> tuple[Ints, Ints]:
    """Columns of the upper and of the lower lid, both from the nose outwards, corners in neither.

    Args:
        margin: (28, 3) left lid margin, beginning at the top and running towards the nose.
    """
    n = len(margin)
    inner, outer = int(np.argmin(margin[:, 0])), int(np.argmax(margin[:, 0]))
    upper = np.arange(inner - 1, outer - n, -1) % n
    lower = np.arange(inner + 1, outer)
    return upper, lower


def _across(margin: Floats, values: Floats, at: Ints, other: Ints) -> Floats:
    """``values`` (28, k) of the columns ``other`` (and corners), read off at the x of the columns ``at``."""
    ends = np.array([np.argmin(margin[:, 0]), np.argmax(margin[:, 0])])
    known = np.concatenate([ends[:1], other, ends[1:]])
    known = known[np.argsort(margin[known, 0])]
    return np.stack([np.interp(margin[at, 0], margin[known, 0], v) for v in values[known].T], axis=1)


def opening_matrix(margin: Floats) -> Floats:
    """(28, 28): vertical offsets of a margin to how far each column is from the lid on the other side.

    Corners give zero. The opening at column i of an offset d is ``(matrix @ d)[i]``, signed upwards.
    """
    upper, lower = lid_columns(margin)
    unit = np.eye(len(margin))
    matrix = np.zeros_like(unit)
    for here, there in ((upper, lower), (lower, upper)):
        matrix[here] = unit[here] - _across(margin, unit, here, there)
    return matrix


def blink_shape(skin: Floats, rings: Ints, first_lid: int, centre: Floats, radius: float, makehuman: Floats) -> Floats:
    """(S, 3) displacement that just closes the left eye at weight 1.

    Args:
        skin: (S, 3) template.
        rings: (rings, 28) of the left eye from the socket outwards; ``first_lid`` is the margin's inner edge.
        centre, radius: the eyeball.
        makehuman: (S, 3) MakeHuman's full blink, for the skin around.
    """
    shape = MAKEHUMAN_SHARE * makehuman
    local = skin - centre
    margin = local[rings[first_lid + 1]]
    upper, lower = lid_columns(margin)
    closed = local + shape

    def at_radius(xy: Floats, length: Floats | float) -> Floats:
        """Points over the eye: ``length`` is that over a plain ball, the cornea's bulge comes on top."""
        tilt = np.arcsin(np.clip(np.linalg.norm(xy, axis=1) / length, 0, 1))
        length = length + radius * (corneal_reach(tilt) - 1)
        depth = np.sqrt(np.maximum(length**2 - (xy**2).sum(axis=1), (0.3 * radius) ** 2))
        return np.concatenate([xy, depth[:, None]], axis=1)

    # Both edges of the margin: the lower lid rises a little, the upper comes all the way to it.
    needed = np.zeros((2, len(margin), 3))
    for row, (ring, height) in enumerate(((first_lid, 0.5 * MM), (first_lid + 1, 1.4 * MM))):
        edge = local[rings[ring]]
        opening = _across(edge, edge, lower, upper)[:, 1] - edge[lower, 1]
        raised = edge[lower, :2] + np.stack([0 * opening, LOWER_RISE * opening], axis=1)
        swell = LOWER_SWELL * np.clip(opening / (4 * MM), 0, 1)
        own = radius + clearance(edge, radius)
        target = at_radius(raised, own[lower] + swell)
        needed[row, lower] = target - closed[rings[ring, lower]]
        lifted = edge.copy()
        lifted[lower] = target
        line = _across(edge, lifted, upper, lower)[:, 1]
        room = np.clip(edge[upper, 1] - line, 0, None)
        line = line + SHORT * np.clip(room / (5 * MM) - 0.25, 0, 1)
        # Near the corners there is hardly any opening and the lid keeps its depth.
        fade = np.clip((edge[upper, 1] - line) / (1.2 * MM), 0, 1)
        length = own[upper] * (1 - fade) + (radius + height) * fade
        target = at_radius(np.stack([edge[upper, 0], line], axis=1), length)
        needed[row, upper] = target - closed[rings[ring, upper]]
        for corner in (int(np.argmin(edge[:, 0])), int(np.argmax(edge[:, 0]))):
            needed[row, corner] = -shape[rings[ring, corner]]
    closed[rings[first_lid]] += needed[0]
    for k, share in enumerate(_FOLLOW):
        if first_lid + 1 + k < len(rings):
            closed[rings[first_lid + 1 + k]] += share * needed[1]

    # The lid's skin must not hang below its margin.
    for k in range(1, 6):
        if first_lid + 1 + k < len(rings):
            here, edge = rings[first_lid + 1 + k, upper], rings[first_lid + 1, upper]
            rise = np.minimum(local[here, 1] - local[edge, 1], 0.4 * MM * k)
            closed[here, 1] = np.maximum(closed[here, 1], closed[edge, 1] + rise)

    # Keep the skin off the eye when closed; the arc does it on the way.
    outer = rings[first_lid + 2 :]
    points = closed[outer]
    short = np.maximum(2.0 * MM - clearance(points, radius), 0) * (points[..., 2] > 0)
    moved = np.linalg.norm(points - local[outer], axis=-1)
    short *= np.clip(moved / (1 * MM), 0, 1)
    closed[outer] += points / np.linalg.norm(points, axis=-1, keepdims=True) * short[..., None]

    # The folds: one ring further in, past the margin of the other lid.
    fold, edge = rings[first_lid - 1], closed[rings[first_lid]]
    for columns, sign, height in ((upper, -1.0, 0.95 * MM), (lower, 0.6, 0.5 * MM)):
        heights = local[rings[first_lid], 1]
        room = np.abs(opening_matrix(local[rings[first_lid]]) @ heights)[columns]
        reach = FOLD * np.clip(room / (4 * MM), 0.25, 1)
        past = edge[columns, :2] + np.stack([0 * reach, sign * reach], axis=1)
        fade = np.clip(room / (1.2 * MM), 0, 1)
        target = at_radius(past, radius + height)
        closed[fold[columns]] = local[fold[columns]] * (1 - fade[:, None]) + target * fade[:, None]
    keep = np.setdiff1d(np.arange(rings.shape[1]), np.concatenate([upper, lower]))
    closed[fold[keep]] = local[fold[keep]]
    # What lies deeper in the socket does not move.
    for ring in rings[: first_lid - 1]:
        closed[ring] = local[ring]
    return closed - local


def clearance(points: Floats, radius: Floats | float, gaze: Floats | None = None) -> Floats:
    """(...) metres that (..., 3) points about the ball's centre are above ball and cornea; ``gaze`` (3,) unit, +z."""
    length = np.linalg.norm(points, axis=-1)
    along = points[..., 2] if gaze is None else points @ gaze
    return length - radius * corneal_reach(np.arccos(np.clip(along / length, -1, 1)))


def lid_arc(skin: Floats, shape: Floats, rings: Ints, first_lid: int, centre: Floats, radius: float) -> Floats:
    """(S, 3) displacement per w (1 - w) that keeps the lids over the eye on their way to ``shape``.

    Half-way, every vertex is as far above the eye as in the mean of its two ends.
    """
    result = np.zeros_like(shape)
    local = skin - centre
    for ring in rings[first_lid : first_lid + len(_FOLLOW) - 1]:
        ends = np.stack([local[ring], local[ring] + shape[ring]])
        middle = ends.mean(axis=0)
        lift = clearance(ends, radius).mean(axis=0) - clearance(middle, radius)
        way = middle / np.linalg.norm(middle, axis=1, keepdims=True)
        result[ring] = 4 * np.maximum(lift, 0)[:, None] * way
    return result


def keep_lids(skin: Floats, shape: Floats, rings: Ints, first_lid: int, centre: Floats, radius: float) -> Floats:
    """(S, 3) a displacement whose lids keep their height over the ball: they glide, they do not lift or sink."""
    result = shape.copy()
    local = skin - centre
    for k, ring in enumerate(rings[first_lid : first_lid + 6]):
        moved = local[ring] + result[ring]
        length = np.linalg.norm(moved, axis=-1)
        own = np.linalg.norm(local[ring], axis=-1)
        wanted = own if k == 0 else np.maximum(length, np.minimum(own, radius + 1.2 * MM))
        shift = moved * ((wanted - length) / length)[:, None]
        result[ring] += shift * np.clip(np.linalg.norm(result[ring], axis=1) / (0.3 * MM), 0, 1)[:, None]
    for ring in rings[:first_lid]:  # the socket stays hidden inside the ball
        result[ring] = 0
    return result
