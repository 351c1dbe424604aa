# SPDX-License-Identifier: Apache-2.0
"""Fit the head to the landmarks of one picture: pose, identity and expression together.

Single groups can be held at rest: with the brows held, what is left over in the brow landmarks is where the detector
puts them. The learned model of the detector is used only where it is handed in (an earlier generation of it, when
portraits are fitted to train the next one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel, LandmarkEmbedding
from smirk_core.heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from smirk_core.tracking.gauss_newton import FrameProblem, solve_with_identity
from smirk_core.tracking.landmark_model import LandmarkModel
from smirk_core.tracking.landmark_prior import LandmarkPrior, align

__all__ = ["Fit", "PictureFitter"]

Floats = npt.NDArray[np.floating[Any]]
_SPREAD = {"jaw": 0.15, "eyes": 0.2, "eyelids": 0.3, "expression": 0.2}
_INDEPENDENCE = 0.12  # share of the landmarks that are independent witnesses


@dataclass(frozen=True)
class Fit:
    """One fitted picture: parameter groups of one frame (identity too, (1, size) each) and the error left, metres."""

    groups: Mapping[str, Floats]
    error: float

    def mesh(self, model: HeadModel) -> Floats:
        """(V, 3) vertices in pixels and depth."""
        return project(decode(model, self.groups).vertices, self.groups["camera"].astype(np.float32))[0]


class PictureFitter:
    """Fits pictures one by one.

    Args:
        model: the head.
        embedding: MediaPipe's 478 points on it.
        held: expression names that stay at zero; ``"eyelids"``, ``"jaw"`` and ``"expression"`` hold whole groups.
        distrusted: landmarks that are left out.
        identity_size: number of identity coefficients.
        error: metres, of a landmark of average trust.
        expression_spread: prior standard deviation of expression weights around zero.
        prior: the learned model of the detector, instead of zero and ``expression_spread``.
    """

    def __init__(
        self,
        model: HeadModel,
        embedding: LandmarkEmbedding,
        held: tuple[str, ...] = (),
        distrusted: npt.NDArray[np.integer[Any]] | None = None,
        identity_size: int = 60,
        error: float = 0.002,
        expression_spread: float = _SPREAD["expression"],
        prior: LandmarkPrior | None = None,
    ) -> None:
        self.model, self.embedding, self._prior = model, embedding, prior
        self.landmarks = LandmarkModel(model, embedding, identity_size)
        layout = self.landmarks.layout
        spread = np.full(layout.size, np.inf)
        for name, value in (_SPREAD | {"expression": expression_spread}).items():
            spread[layout[name]] = value
        spread[7:9] = (0.04, 0.02)
        self._spread = spread
        first = layout["expression"].start
        names = model.expression_names
        blocks = [np.array([first + names.index(n)]) if n in names else np.r_[layout[n]] for n in held]
        self._held = np.concatenate(blocks) if blocks else np.zeros(0, np.intp)
        low, high = np.full(layout.size, -np.inf), np.full(layout.size, np.inf)
        low[layout["expression"]], high[layout["expression"]] = model.expression_range
        low[layout["eyelids"]], high[layout["eyelids"]] = 0.0, 1.0
        low[6], high[6] = 0.0, model.angles["jawOpen"]
        self._bounds = low.astype(np.float32), high.astype(np.float32)
        weight = np.array(embedding.weight, np.float64)
        if distrusted is not None:
            weight[distrusted] = 1e-3
        self._trust = (_INDEPENDENCE * (weight / error) ** 2).astype(np.float32)
        self._outlier = np.broadcast_to((3 * error / weight).astype(np.float32), (1, len(weight)))
        self._mean = landmark_points(model, model.template[None], embedding)[0].astype(np.float64)
        jaw = model.skinning_weights[model.triangles[embedding.triangles]][..., 2:].sum(-1).mean(1)
        self._rigid = weight * (jaw < 0.05)
        self._root = (model.joint_regressor[0] @ model.template).astype(np.float64)

    def __call__(self, points: Floats, iterations: int = 9) -> Fit:
        """Fit (478, 3) detected landmarks in pixels."""

        posed = align(points[None], self._mean, self._rigid)
        scale = float(posed.scale[0])

        base = matrix_from_rotvec(posed.rotation)[0]
        turned = (self._mean - self._root) @ base.T + self._root
        observed = points[:, :2] / scale
        w = self._rigid / self._rigid.sum()
        x = np.zeros((1, self.landmarks.layout.size), np.float32)
        x[0, 4:6] = w @ (observed - turned[:, :2] * [1.0, -1.0])
        normal = self._facing(base)
        centre, spread = self._known(points)
        problem = FrameProblem(
            self.landmarks,
            base,
            np.ascontiguousarray(observed.T[None]).astype(np.float32),
            self._trust[None] * normal,
            self._outlier,
            centre[None].astype(np.float32),
            (1 / spread**2).astype(np.float32)[None],
            *self._bounds,
        )
        size = self.landmarks.identity_size
        identity, x = solve_with_identity(problem, np.zeros(size), x, np.ones(size), iterations)
        return self._result(problem, identity, x, scale)

    def _known(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (P,) of the unknowns before the fit."""
        mean, spread = np.zeros_like(self._spread), self._spread.copy()
        if self._prior is not None:
            found = self._prior.predict(points[None])
            centre = groups_from_arkit(self.model, found.weights)
            unit = groups_from_arkit(self.model, np.eye(found.weights.shape[1]))
            for name in ("expression", "eyelids", "jaw", "eyes"):
                block = np.r_[self.landmarks.layout[name]]
                moved = (unit[name] ** 2).sum(0) > 0
                mean[block[moved]] = centre[name][0, moved]
                spread[block[moved]] = np.sqrt(found.sigma[0] ** 2 @ unit[name] ** 2)[moved]
        mean[self._held], spread[self._held] = 0.0, 1e-3
        return mean, spread

    def _facing(self, rotation: Floats) -> Floats:
        """(1, L) how far landmarks face the camera."""
        corners = self.model.template[self.model.triangles[self.embedding.triangles]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        return np.clip((normal @ rotation[2] + 0.25) / 0.5, 0.1, 1.0)[None].astype(np.float32)

    def _result(self, problem: FrameProblem, identity: Floats, x: Floats, scale: float) -> Fit:

        layout = self.landmarks.layout
        points, _, _ = self.landmarks.evaluate(identity, x, problem.base_rotation)
        square = ((problem.points - points) ** 2).sum(1)
        own = scale * np.exp(x[:, 3:4].astype(np.float64))
        rotation = matrix_from_rotvec(x[:, 0:3].astype(np.float64)) @ problem.base_rotation
        groups: dict[str, Floats] = {
            "identity": identity[None],
            "rotation": rotvec_from_matrix(rotation),
            "camera": np.concatenate([own, scale * x[:, 4:6]], axis=1),
        }
        for name in ("jaw", "eyes", "eyelids", "expression"):
            groups[name] = np.array(x[:, layout[name]], np.float64)
        weight = problem.trust
        return Fit(groups, float(np.sqrt((square * weight).sum() / weight.sum())))
