# SPDX-License-Identifier: Apache-2.0
"""A cranium that varies as craniums do: wide, smooth changes of an egg, never a flat top or an edge.

MakeHuman's targets for the head's shape push single bands of its scalp. Behind the hairline each displacement is
replaced by the nearest one that is a quadratic function of the direction from the middle of the skull, and blended
over where the scalp meets face, ears and neck. That is linear, so what a coefficient means does not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import Assembly
from .build_skeleton import smooth

__all__ = ["cranium_share", "smooth_cranium"]

Floats = npt.NDArray[np.floating[Any]]
_BAND = 9  # rounds of averaging that make the border soft
_RIPPLES = 6  # rounds of averaging of the template, which takes single bumps off


def cranium_share(assembly: Assembly, template: Floats, scalp: npt.NDArray[np.bool_]) -> Floats:
    """(S,) 0 on face, ears and neck, rising to 1 over the crown.

    Args:
        template: (V, 3); ``scalp``: (V,) bool, its region.
    """
    skin = assembly.slices["skin"]
    inside = scalp[skin].astype(float)
    share = np.clip(2 * smooth(inside, assembly, _BAND) - 1, 0, 1) * inside
    eyes = template[assembly.slices["left_eye"], 1].mean()
    # From the height of the eyes upwards: the nape belongs to the neck.
    rise = np.clip((template[skin, 1] - (eyes - 0.02)) / 0.05, 0, 1)
    return share * rise * rise * (3 - 2 * rise)


def _quadratics(points: Floats) -> Floats:
    """(n, 9) functions of the direction from the middle of the points: constant, linear, quadratic."""
    way = points - (points.max(axis=0) + points.min(axis=0)) / 2
    x, y, z = (way / np.linalg.norm(way, axis=1, keepdims=True)).T
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], axis=1)


def smooth_cranium(assembly: Assembly, template: Floats, share: Floats, field: Floats) -> Floats:
    """(..., V, 3) displacements with those of the cranium smooth; the rest as it was.

    Args:
        template: (V, 3), ``share``: (S,) as from :func:`cranium_share`.
    """
    skin = assembly.slices["skin"]
    rest = template[skin]
    near = np.flatnonzero(smooth((share > 0).astype(float), assembly, 3) > 0.02)  # with the ring where it must fit
    basis = _quadratics(rest[near])
    # Vertices count by the area that they stand for; the border, which stays, counts more.
    weight = np.where(share[near] < 0.5, 2.0, 1.0)[:, None]
    solve = np.linalg.pinv(basis * np.sqrt(weight)) * np.sqrt(weight).T
    result = field.copy()
    own = field[..., skin, :]
    fitted = np.einsum("nm,...mc->...nc", basis @ solve, own[..., near, :])
    own[..., near, :] += share[near, None] * (fitted - own[..., near, :])
    result[..., skin, :] = own
    return result
