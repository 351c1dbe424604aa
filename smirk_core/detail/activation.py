# SPDX-License-Identifier: Apache-2.0
"""How far each wrinkle group is folded: from the weights of the expression's named curves.

strength x share x (gain(age) x clamp(sum of weights of the law) + rest(age) x static)

Age runs from 0, a child, over 0.5, a grown-up of about forty, to 1, old. A child's skin hardly folds and keeps
nothing; from about forty on lines stay in the resting face.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.arkit import ARKIT_INDEX, arkit_from_groups
from ..heads.head_model import HeadModel
from .groups import GROUPS

__all__ = ["ADULT", "activations", "age_gain", "age_rest", "folding", "law_matrix", "take_activations"]

Floats = npt.NDArray[np.floating[Any]]
ADULT = 0.5
YOUNG_GAIN, OLD_GAIN = 0.25, 1.3  # of the folds of a child and of old skin
REST_FROM = 0.4  # age from which lines stay


def law_matrix() -> Floats:
    """(G, 52) weight of every ARKit curve in the law of every group; negative where a curve smooths it."""
    matrix = np.zeros((len(GROUPS), len(ARKIT_INDEX)))
    for row, group in zip(matrix, GROUPS, strict=True):
        for curve, weight in group.law.items():
            row[ARKIT_INDEX[curve]] += weight
        for curve, weight in group.resting.items():
            row[ARKIT_INDEX[curve]] -= weight
    return matrix


_LAW = law_matrix()
_STATIC = np.array([group.static for group in GROUPS])


def folding(curves: Floats) -> Floats:
    """(T, G) 0..1 how far 52 ARKit weights (T, 52) fold each group, whatever the age."""
    return np.clip(np.asarray(curves, np.float64) @ _LAW.T, 0, 1)


def age_gain(age: float) -> float:
    """How deep a full fold is at an age, 1 for a grown-up of :data:`ADULT` or a little more."""
    return YOUNG_GAIN + (OLD_GAIN - YOUNG_GAIN) * float(np.clip(age, 0, 1))


def age_rest(age: float) -> float:
    """0..1 how much of the lines that can stay does so at an age."""
    return float(np.clip((age - REST_FROM) / (1 - REST_FROM), 0, 1))


def activations(curves: Floats, age: float = ADULT, strength: float = 1.0, shares: Floats | None = None) -> Floats:
    """(T, G) by how much each group's height map is to be multiplied.

    Args:
        curves: (T, 52) ARKit weights.
        age: 0 child, 0.5 grown-up, 1 old.
        strength: of everything; 0 is off.
        shares: (G,) of one person, 1 is usual.
    """
    shares = np.ones(len(GROUPS)) if shares is None else np.asarray(shares, np.float64)
    return strength * shares * (age_gain(age) * folding(curves) + age_rest(age) * _STATIC)


def take_activations(
    model: HeadModel, groups: Mapping[str, Floats], age: float = ADULT, strength: float = 1.0,
    shares: Floats | None = None,
) -> Floats:  # fmt: skip
    """(T, G) :func:`activations` of parameter groups, such as a take's."""
    return activations(arkit_from_groups(model, groups), age, strength, shares)
