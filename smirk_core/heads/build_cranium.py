# SPDX-License-Identifier: Apache-2.0
"""A cranium that varies as craniums do: wide, smooth changes of an egg, never a flat top or an edge.

MakeHuman's targets for the head's shape push single bands of its scalp. Above the brows and behind the ears each
displacement is replaced by the nearest one that is affine, which turns an egg into another egg, and blended over
where it meets face, ears and neck. That is linear, so what a coefficient means does not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_assembly import Assembly
from .build_skeleton import smooth

__all__ = ["cranium_share", "smooth_cranium"]

Floats = npt.NDArray[np.floating[Any]]
_BAND = 5  # rounds of averaging that make the border soft


def cranium_share(assembly: Assembly, template: Floats, regions: dict[str, npt.NDArray[np.bool_]]) -> Floats:
    """(S,) 0 on face, ears and neck, rising to 1 over the crown.

    Args:
        template: (V, 3); ``regions``: name -> (V,) bool.
    """
    skin = assembly.slices["skin"]
    inside = (regions["scalp"] | regions["forehead"])[skin].astype(float)
    share = np.clip(2 * smooth(inside, assembly, _BAND) - 1, 0, 1) * inside
    eyes = template[assembly.slices["left_eye"]].mean(axis=0)
    # From above the brows upwards, and behind the ears from the height of the eyes: the nape belongs to the neck.
    ahead = np.clip((template[skin, 2] - (eyes[2] - 0.09)) / 0.06, 0, 1)
    rise = np.clip((template[skin, 1] - (eyes[1] - 0.025 + 0.06 * ahead)) / 0.05, 0, 1)
    return np.clip(1.6 * share, 0, 1) * rise * rise * (3 - 2 * rise)


def smooth_cranium(assembly: Assembly, template: Floats, share: Floats, field: Floats) -> Floats:
    """(..., V, 3) displacements with those of the cranium smooth; the rest as it was.

    Args:
        template: (V, 3), ``share``: (S,) as from :func:`cranium_share`.
    """
    skin = assembly.slices["skin"]
    rest = template[skin]
    near = np.flatnonzero(smooth((share > 0).astype(float), assembly, 3) > 0.02)  # with the ring where it must fit
    basis = np.concatenate([rest[near], np.ones((len(near), 1))], axis=1)
    # Every patch of the surface counts alike, however many vertices it has; the border, which stays, counts more.
    distance = np.linalg.norm(rest[near][:, None] - rest[near][None], axis=2)
    weight = np.where(share[near] < 0.5, 2.0, 1.0) / (distance < 0.02).sum(axis=1)
    root = np.sqrt(weight)[:, None]
    solve = np.linalg.pinv(basis * root) * root.T
    result = field.copy()
    own = field[..., skin, :]
    fitted = np.einsum("nm,...mc->...nc", basis @ solve, own[..., near, :])
    own[..., near, :] += share[near, None] * (fitted - own[..., near, :])
    result[..., skin, :] = own
    return result
