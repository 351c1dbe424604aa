# SPDX-License-Identifier: Apache-2.0
"""A take as named curves: weights, and the angles of head and eyes. What tables and JSON are made of.

The weights are ARKit's 52 where the head's expressions are; else the head's own expressions, lids and jaw.
"""

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

__all__ = ["ANGLE_NAMES", "OWN_NAMES", "Curves", "check_head", "curves_of", "yaw_pitch_roll"]

Floats = npt.NDArray[np.floating[Any]]
ANGLE_NAMES: tuple[str, ...] = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "RightEyeYaw", "RightEyePitch",
)  # fmt: skip
# What follows the expressions of a head that does not have ARKit's.
OWN_NAMES: tuple[str, ...] = ("eyelid_left", "eyelid_right", "jaw_x", "jaw_y", "jaw_z")


@dataclass(frozen=True)
class Curves:
    """Named curves of one take.

    Attributes:
        times: (N,) seconds.
        weights: (N, W) in the order of ``weight_names``.
        angles: (N, 7) radians in the order of :data:`ANGLE_NAMES`.
        weight_names: ARKit's 52 names; for a head with other expressions (FLAME) theirs, then :data:`OWN_NAMES` with
            the jaw's rotation vector in radians.
    """

    times: Floats
    weights: Floats
    angles: Floats
    weight_names: tuple[str, ...] = ARKIT_NAMES

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns of :attr:`table`."""
        return self.weight_names + ANGLE_NAMES

    @property
    def table(self) -> Floats:
        """(N, W + 7) weights and angles side by side."""
        return np.concatenate([self.weights, self.angles], axis=1)


def yaw_pitch_roll(rotvec: Floats) -> Floats:
    """(N, 3) rotation vectors to (N, 3) yaw, pitch, roll in radians.

    Convention: R = Ry(yaw) Rx(pitch) Rz(roll), right-handed about head space's axes. Yaw turns the nose to the
    subject's left, pitch lowers it, roll tips the head towards the subject's right shoulder. A pure turn
    (0, 0.5, 0) is yaw 0.5, pitch 0, roll 0. At pitch +-90 degrees yaw and roll cannot be told apart.
    """
    m = matrix_from_rotvec(np.asarray(rotvec, np.float64))
    pitch = np.arcsin(np.clip(-m[:, 1, 2], -1, 1))
    yaw = np.arctan2(m[:, 0, 2], m[:, 2, 2])
    roll = np.arctan2(m[:, 1, 0], m[:, 1, 1])
    return np.stack([yaw, pitch, roll], axis=1)


def check_head(take: Take, head: HeadModel) -> None:
    """Make sure that ``take`` was made with ``head``.

    Raises:
        TakeError: it was made with another head.
    """
    if take.info.head_digest != head.digest:
        made = f"{take.info.head or 'an unknown head'} ({take.info.head_digest[:8]})"
        raise TakeError(f"This take was made with {made}, not with {head.name} ({head.digest[:8]}).")


def curves_of(take: Take, head: HeadModel, *, raw: bool = False) -> Curves:
    """The curves of a take, filtered unless ``raw``.

    Raises:
        TakeError: the take was made with another head.
    """
    check_head(take, head)
    groups = take.raw if raw else take.filtered
    eyes = np.asarray(groups.get("eyes", np.zeros((len(take), 4))), np.float64)
    turns = yaw_pitch_roll(groups.get("rotation", np.zeros((len(take), 3))))
    names = ARKIT_NAMES
    if head.angles:
        weights = arkit_from_groups(head, {k: v for k, v in groups.items() if len(v)})
    else:
        names = (*head.expression_names, *OWN_NAMES)
        weights = np.zeros((len(take), len(names)))
        expression = groups.get("expression", weights[:, :0])
        weights[:, : expression.shape[1]] = expression
        weights[:, -5:-3] = groups.get("eyelids", 0.0)
        weights[:, -3:] = groups.get("jaw", 0.0)
    angles = np.concatenate([turns, eyes[:, [1, 0, 3, 2]]], axis=1)
    return Curves(np.asarray(take.times, np.float64), weights, angles, names)
