# SPDX-License-Identifier: Apache-2.0
"""One number for age: what it does to the shape of a head, to its hair and to the depth of its wrinkles.

The mean head counts as 30 years old.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .person_shapes import person_directions

__all__ = ["MEAN_AGE", "OLDEST", "YOUNGEST", "AgeLook", "age_identity", "age_look"]

Floats = npt.NDArray[np.floating[Any]]
MEAN_AGE, YOUNGEST, OLDEST = 30.0, 6.0, 90.0
# Years, and how far a face has gone from a young adult's towards the child's (of about eight) and the old one's.
_CHILD = ((6, 9, 13, 17, 20), (0.95, 0.8, 0.5, 0.18, 0.0))
_OLD = ((25, 30, 45, 60, 75, 90), (-0.05, 0.0, 0.28, 0.62, 0.95, 1.15))


@dataclass(frozen=True)
class AgeLook:
    """What age does beside shape, each 0 to 1.

    Attributes:
        grey: share of hairs without colour.
        wrinkles: strength of wrinkles of expression and at rest.
        spots: blotches and age spots of the skin; thin: how thin brows and lashes have become.
    """

    grey: float
    wrinkles: float
    spots: float
    thin: float


def age_look(years: float) -> AgeLook:
    """Middle values of many people; hair turns grey from the late thirties on."""
    return AgeLook(
        grey=float(np.interp(years, [34, 45, 60, 75, 90], [0, 0.12, 0.55, 0.9, 1.0])),
        wrinkles=float(np.interp(years, [6, 18, 30, 50, 70, 90], [0.0, 0.08, 0.25, 0.55, 0.9, 1.0])),
        spots=float(np.interp(years, [20, 40, 60, 90], [0.0, 0.1, 0.45, 1.0])),
        thin=float(np.interp(years, [45, 90], [0.0, 0.5])),
    )


def age_identity(model: HeadModel, years: float, male: float = 0.5) -> Floats:
    """(K,) identity coefficients to add to a face of the mean age to make it ``years`` old.

    Args:
        years: 6 to 90; what is beyond counts as that.
        male: 0 a woman, 1 a man, between them between.

    Raises:
        AssetError: the head is not the open head, or the file of shapes is damaged.
    """
    years = float(np.clip(years, YOUNGEST, OLDEST))
    directions = person_directions(model)
    child, old = directions["child"], directions["old"]
    share = np.array([1 - male, male])
    return np.interp(years, *_CHILD) * (share @ child) + np.interp(years, *_OLD) * (share @ old)
