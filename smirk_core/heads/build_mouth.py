# SPDX-License-Identifier: Apache-2.0
"""Where teeth and tongue are in a person's head, and the inner side of the lips that closes over them.

Frame of the mouth: the origin is the midline of the upper incisors' biting edge on its labial side, +x to the
subject's left, +y up, +z forward, the jaw at rest. Everything is linear in the skin's
vertices, so that a population's principal components carry the parts along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ROLLED_TEETH", "MouthPart", "MouthPlace", "closing_lining", "mouth_place", "seal_lining"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3


@dataclass(frozen=True)
class MouthPart:
    """A piece of mesh in the frame of the mouth.

    Attributes:
        points: (n, 3) metres.
        polygons: (P, 4) quads.
        materials: (P,) names.
        mirror: (n,) the vertex on the other side.
    """

    points: Floats
    polygons: Ints
    materials: npt.NDArray[np.str_]
    mirror: Ints


# Where the upper incisors' edge is for a person: below the line where the lips meet, and behind their inner side.
_BELOW_SEAM, _BEHIND_LIPS = 3.0 * MM, 2.4 * MM
_SHELF_DIP, _SHELF_LIFT = 0.5 * MM, 0.6 * MM  # of the lips' inner sides, into each other
_SCALE_SHARE = 0.5  # of the differences in width between MakeHuman's rows of teeth that ours keep


@dataclass(frozen=True)
class MouthPlace:
    """Where the frame of the mouth is in N people: ``upper`` and ``lower`` (N, 3) origins in metres for the skull's and
    for the jaw's parts, and ``scale`` (N,) of the parts."""

    upper: Floats
    lower: Floats
    scale: Floats


def mouth_place(skin: Floats, rings: Ints, seam: int, teeth: Floats, width: float) -> MouthPlace:
    """Place the mouth's frame by the inner side of the lips. Linear in all points.

    Args:
        skin: (N, S, 3) metres.
        rings: (rings, 38) skin vertices of :class:`.build_layout.Layout`; ``seam``: the one where the lips meet.
        teeth: (N, k, 3) MakeHuman's upper teeth, their left half first turned to +x: only their width counts.
        width: its mean of their left half's x minus their right half's, in the mean adult.
    """
    whole, turn = rings.shape[1], rings.shape[1] // 2
    near = np.arange(-2, 3)
    above, below = near % whole, turn + near
    line = skin[:, rings[seam]]
    origin = np.zeros((len(skin), 3))
    origin[:, 0] = line[..., 0].mean(axis=1)
    origin[:, 1] = (line[:, above, 1].mean(axis=1) + line[:, below, 1].mean(axis=1)) / 2 - _BELOW_SEAM
    lining = np.concatenate([skin[:, rings[seam - 2, above], 2], skin[:, rings[seam - 2, below], 2]], axis=1)
    origin[:, 2] = lining.mean(axis=1) - _BEHIND_LIPS
    half = teeth.shape[1] // 2
    own = teeth[:, :half, 0].mean(axis=1) - teeth[:, half:, 0].mean(axis=1)
    return MouthPlace(origin, origin.copy(), 1 + _SCALE_SHARE * (own / width - 1))


# A rolled upper lip takes the place of the upper teeth, which it hides: they make room for it.
ROLLED_TEETH = np.array([0.0, 2.0, -4.5]) * MM


def _lips(columns: int) -> tuple[Ints, Ints]:
    """Columns of the mouth's rings along the upper lip, from the subject's right to left, and along the lower one."""
    quarter = columns // 4
    return np.arange(-quarter, quarter + 1) % columns, np.arange(quarter + 1, columns - quarter)


def seal_lining(skin: Floats, rings: Ints, seam: int, reference: Floats) -> None:
    """Close the mouth behind the line where the lips meet, in place: no light passes between them at a slant.

    The rings behind the seam are laid level with the upper lip's, on both lips: a shelf that cannot be seen from the
    front. Linear but for a constant.

    Args:
        skin: (N, S, 3) metres; ``reference``: (S, 3) the mean, which says what lies above what.
        rings: (rings, 38) as in :class:`.build_layout.Layout`; ``seam``: the one where the lips meet.
    """
    upper, lower = _lips(rings.shape[1])
    line, across = skin[:, rings[seam, upper], 1], reference[rings[seam, upper], 0]
    skin[:, rings[seam - 1, upper], 1] = line - _SHELF_DIP
    for ring, lift in ((seam - 1, 0.0), (seam - 2, _SHELF_LIFT)):
        x = reference[rings[ring, lower], 0]
        left = np.clip(np.searchsorted(across, x) - 1, 0, len(across) - 2)
        share = np.clip((x - across[left]) / (across[left + 1] - across[left]), 0, 1)
        skin[:, rings[ring, lower], 1] = (1 - share) * line[:, left] + share * line[:, left + 1] + lift


def closing_lining(vertices: int, rings: Ints, seam: int) -> Floats:
    """(vertices, 3) metres that the lower lip's inner side rises behind the upper lip in a closed mouth over an open
    jaw: identities differ in how far their jaw takes the lip down."""
    turn, quarter = rings.shape[1] // 2, rings.shape[1] // 4
    inner = np.arange(turn - quarter + 2, turn + quarter - 1)
    moved = np.zeros((vertices, 3))
    moved[rings[seam - 1, inner]] = np.array([0, 4.1, -2.6]) * MM
    moved[rings[seam - 2, inner]] = np.array([0, 5.0, -2.5]) * MM
    return moved
