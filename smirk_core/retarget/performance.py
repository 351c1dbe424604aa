# SPDX-License-Identifier: Apache-2.0
"""What a take holds for a character: ARKit's weights and the turns of head, jaw and eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TakeError
from ..heads.arkit import arkit_from_groups
from ..heads.head_model import HeadModel
from ..heads.parameters import ARKIT_NAMES
from ..heads.rotation import matrix_from_rotvec
from ..take import Take

__all__ = ["Performance", "has_arkit", "performance_of"]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Performance:
    """One take as any character can use it.

    Attributes:
        weights: (N, 52) in ARKit's order.
        turns: ``head``, ``jaw``, ``left_eye``, ``right_eye`` -> (N, 3, 3), each relative to its parent, head space.
    """

    weights: Floats
    turns: dict[str, Floats]


def has_arkit(model: HeadModel) -> bool:
    """Whether the expressions of a head are ARKit's."""
    return set(model.expression_names) <= set(ARKIT_NAMES) and bool(model.angles)


def performance_of(take: Take, model: HeadModel, *, raw: bool = False) -> Performance:
    """Read a take for use on another character.

    Args:
        take: the performance.
        model: the head that the take was made with.
        raw: without its filters.

    Raises:
        TakeError: the head's expressions have no ARKit names, or the take is of another head.
    """
    if take.info.head and take.info.head != model.name:
        raise TakeError(f"The take was made with the head '{take.info.head}', not with '{model.name}'.")
    if not has_arkit(model):
        raise TakeError(
            f"The expressions of the head '{model.name}' have no ARKit names, so they cannot be put onto a character: "
            "capture the footage with the open head."
        )
    groups = {k: np.asarray(v, np.float64) for k, v in (take.raw if raw else take.filtered).items() if len(v)}
    count = len(take)

    def vectors(name: str, columns: slice = slice(0, 3)) -> Floats:
        values = np.zeros((count, 3))
        if name in groups:
            part = groups[name][:, columns]
            values[:, : part.shape[1]] = part
        return values

    root, neck = matrix_from_rotvec(vectors("rotation")), matrix_from_rotvec(vectors("neck"))
    turns = {
        "head": root @ neck,
        "jaw": matrix_from_rotvec(vectors("jaw")),
        "left_eye": matrix_from_rotvec(vectors("eyes", slice(0, 2))),
        "right_eye": matrix_from_rotvec(vectors("eyes", slice(2, 4))),
    }
    return Performance(arkit_from_groups(model, groups) if groups else np.zeros((count, len(ARKIT_NAMES))), turns)
