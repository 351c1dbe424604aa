# SPDX-License-Identifier: Apache-2.0
"""How near a recovered take comes to a true one: curve by curve, and in landmarks on the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import TakeError
from .export.curves import curves_of
from .heads.decode import decode, landmark_points, project
from .heads.head_model import HeadModel
from .heads.landmark_sets import OUTER_EYES
from .heads.rotation import matrix_from_rotvec
from .take import Take

__all__ = ["Comparison", "CurveError", "compare"]

Floats = npt.NDArray[np.floating[Any]]
_ACTIVE = 0.05  # a true curve whose range is wider than this has something to recover


@dataclass(frozen=True)
class CurveError:
    """One curve against the truth.

    Attributes:
        correlation: Pearson's r over the frames; 0 where the recovered curve is constant.
        slope: of the regression of recovered on true; 1 keeps the strength of the motion.
        error: mean absolute difference.
    """

    correlation: float
    slope: float
    error: float


@dataclass(frozen=True)
class Comparison:
    """A take against the truth.

    Attributes:
        frames: how many frames were compared.
        active: curves that move in the truth.
        inactive_error: mean absolute value of the curves that rest in the truth.
        rotation_degrees: mean angle between the two head rotations.
        landmark_error: mean distance of the 478 landmarks on the picture, divided by the outer-eye distance.
    """

    frames: int
    active: Mapping[str, CurveError]
    inactive_error: float
    rotation_degrees: float
    landmark_error: float

    @property
    def correlation(self) -> float:
        """Mean correlation of the active curves."""
        return float(np.mean([c.correlation for c in self.active.values()])) if self.active else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, for a file."""
        return {"correlation": self.correlation, **asdict(self)}


def _nearest(times: Floats, wanted: Floats) -> npt.NDArray[np.intp]:
    """For each wanted time the index of the nearest of ``times`` (increasing)."""
    right = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(times) - 1)
    return np.where(np.abs(times[left] - wanted) <= np.abs(times[right] - wanted), left, right)


def _picture_points(take: Take, head: HeadModel, frames: npt.NDArray[np.intp]) -> Floats:
    """(N, 478, 2) landmarks in pixels."""
    groups = {k: v[frames] for k, v in take.parameters().items()}
    points = landmark_points(head, decode(head, groups).vertices, head.landmarks["mediapipe_478"])
    return np.asarray(project(points, groups["camera"]))[..., :2]


def compare(take: Take, truth: Take, head: HeadModel) -> Comparison:
    """Compare a take with the truth at the take's time stamps.

    Raises:
        TakeError: one of them was made with another head, or they do not overlap in time.
    """
    theirs = _nearest(truth.times, take.times)
    apart = np.abs(truth.times[theirs] - take.times)
    ours = np.flatnonzero(apart <= 0.5 / max(truth.info.rate, 1.0))
    if len(ours) == 0:
        raise TakeError("The two takes have no frame in common.")
    theirs = theirs[ours]
    true_curves, curves = curves_of(truth, head), curves_of(take, head)
    true_weights, weights = true_curves.weights[theirs], curves.weights[ours]
    moving = np.ptp(true_weights, axis=0) > _ACTIVE
    active = {}
    for column in np.flatnonzero(moving):
        x, y = true_weights[:, column], weights[:, column]
        x0, y0 = x - x.mean(), y - y.mean()
        norm = float(np.sqrt((x0 @ x0) * (y0 @ y0)))
        active[curves.names[column]] = CurveError(
            correlation=float(x0 @ y0) / norm if norm > 1e-12 else 0.0,
            slope=float((x0 @ y0) / (x0 @ x0)),
            error=float(np.abs(x - y).mean()),
        )
    resting = ~moving & (true_weights.max(axis=0) < _ACTIVE)
    turn = matrix_from_rotvec(take.filtered["rotation"][ours]).transpose(0, 2, 1) @ matrix_from_rotvec(
        truth.filtered["rotation"][theirs]
    )
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    points, true_points = _picture_points(take, head, ours), _picture_points(truth, head, theirs)
    eyes = np.linalg.norm(true_points[:, OUTER_EYES[0]] - true_points[:, OUTER_EYES[1]], axis=-1)
    distance = np.linalg.norm(points - true_points, axis=-1).mean(axis=1)
    return Comparison(
        frames=len(ours),
        active=active,
        inactive_error=float(np.abs(weights[:, resting]).mean()) if resting.any() else 0.0,
        rotation_degrees=float(np.degrees(angle).mean()),
        landmark_error=float((distance / eyes).mean()),
    )
