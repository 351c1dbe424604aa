# SPDX-License-Identifier: Apache-2.0
"""Seats the eyeballs in the lids of every identity, exactly to first order, and lays the lids over the corneas.

The identities' components were found with lids that lie on plain balls, and their meaning stays. Here the balls get
their final size, in front of the same lids, and the margins of the lids move along the line from the ball's centre
until they lie on ball or cornea: for the mean, and for each component up to what is quadratic in it. What is
quadratic always points outwards, so no identity's lid sinks into its eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import FOLLOW, SOCKET_DEPTH, Assembly
from .build_eyeballs import EYE_RADIUS, corneal_reach
from .build_eyes import clearance

__all__ = ["Seated", "seat_eyes"]

Floats = npt.NDArray[np.floating[Any]]
MM = 1e-3
MARGIN_GAP = 0.07 * MM  # between the inner edge of the margin and what it lies on, where it is least
_PEOPLE = 400  # at random, on whom the margins are fitted


@dataclass(frozen=True)
class Seated:
    """The head with its eyes in place, metres.

    Attributes:
        template: (V, 3); ``basis``: (K, V, 3).
        centres: (2, 3) of the balls; ``radius``: their mean radius.
        margins: (2, N, 28, 3) inner edges of the lids of random people about the centres of their balls, whose
            radii are ``radii`` (2, N).
    """

    template: Floats
    basis: Floats
    centres: Floats
    radius: float
    margins: Floats
    radii: Floats


def _balls(points: Floats, ball: Floats) -> tuple[Floats, Floats]:
    """(..., n, 3) points centre + radius * ball to (..., 3) centres and (...) radii; also for displacements."""
    middle = ball - ball.mean(axis=0)
    radius = (points * middle).sum(axis=(-2, -1)) / (middle**2).sum()
    return points.mean(axis=-2) - radius[..., None] * ball.mean(axis=0), radius


def _centre(margin: Floats, centre: Floats) -> Floats:
    """The centre, moved along z, of the ball of final size that best fits the margin (n, 3)."""
    centre = centre.copy()
    for _ in range(20):
        way = margin - centre
        length = np.linalg.norm(way, axis=1)
        centre[2] += np.mean(length - EYE_RADIUS) / np.mean(way[:, 2] / length)
    return centre


def seat_eyes(assembly: Assembly, template: Floats, basis: Floats) -> Seated:
    """Give both eyes their final size and place for all identities.

    Args:
        template: (V, 3) metres; ``basis``: (K, V, 3).
    """
    layout = assembly.layout
    given = template
    template, basis = template.copy(), basis.copy()
    centres, margins, radii = [], [], []
    # Everybody comes with their mirror image, so that left and right lids get the same.
    people = np.random.default_rng(31).normal(size=(_PEOPLE // 2, len(basis)))
    mirrored = basis[:, assembly.mirror] * [-1, 1, 1]
    people = np.stack([people, people * np.sign((mirrored * basis).sum(axis=(1, 2)))], axis=1).reshape(_PEOPLE, -1)
    for side, name in enumerate(("left_eye", "right_eye")):
        part, ball = assembly.slices[name], assembly.ball * [1 - 2 * side, 1, 1]
        rings = layout.eye_rings[side][layout.first_lid :]
        before, old = _balls(template[part], ball)
        shifts, sizes = _balls(basis[:, part], ball)
        sizes = sizes * EYE_RADIUS / old
        # The ball goes with the middle of the opening: every eye looks straight out of it, and what closes the
        # mean's lids closes everyone's.
        edge = template[rings[0]]
        span = np.linalg.norm(np.roll(edge, -1, axis=0) - np.roll(edge, 1, axis=0), axis=1)
        shifts = np.einsum("n,knd->kd", span / span.sum(), basis[:, rings[0]])
        centre = _centre(template[rings[0]], before)
        template[part] = centre + EYE_RADIUS * ball
        basis[:, part] = shifts[:, None] + sizes[:, None, None] * ball

        way = template[rings[0]] - centre
        length = np.linalg.norm(way, axis=1)
        out = way / length[:, None]
        angle = np.arccos(np.clip(out[:, 2], -1, 1))
        reach = corneal_reach(angle)
        wanted = EYE_RADIUS * reach + MARGIN_GAP - length
        # To first order: how the surface below a margin rises when the margin glides away from the axis.
        step = 1e-4
        slope = EYE_RADIUS * (corneal_reach(angle + step) - corneal_reach(angle - step)) / (2 * step)
        away = out * np.cos(angle)[:, None] - np.array([0, 0, 1.0])
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        moved = basis[:, rings[0]] - shifts[:, None]
        rise = reach * sizes[:, None] + slope * (moved * away).sum(axis=2) / length
        missing = rise - (moved * out).sum(axis=2)
        # The margin of the person whose lid is nearest to the eye touches it; the others' are a little off.
        margin = way + wanted[:, None] * out
        margin = margin + np.tensordot(people, moved + missing[..., None] * out, 1)
        radius = EYE_RADIUS + people @ sizes
        lift = MARGIN_GAP - clearance(margin, radius[:, None]).min(axis=0)
        for ring, share in zip(rings, FOLLOW, strict=False):
            template[ring] += share * (wanted + lift)[:, None] * out
            basis[:, ring] += share * missing[..., None] * out
        margins.append(margin + lift[:, None] * out)
        radii.append(radius)
        socket = layout.sockets[side]
        inside = template[socket] - centre
        inside /= np.linalg.norm(inside, axis=1, keepdims=True)
        template[socket] = centre + inside * (EYE_RADIUS - SOCKET_DEPTH)
        centres.append(centre)
    still, moved = given[None].copy(), template[None].copy()
    for grown in (still, moved):
        assembly.grow(grown, np.array(centres)[None])
    for side in ("left", "right"):
        for hair in ("lashes", "brow", "tears"):
            template[assembly.slices[f"{side}_{hair}"]] += (moved - still)[0, assembly.slices[f"{side}_{hair}"]]
    return Seated(template, basis, np.array(centres), EYE_RADIUS, np.array(margins), np.array(radii))
