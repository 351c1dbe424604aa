# SPDX-License-Identifier: Apache-2.0
"""One face's observations in the solver's units: where the frames start, what is trusted, what is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..encoder.extras import vertex_embedding
from ..errors import MediaError
from ..heads.decode import landmark_points
from ..heads.head_model import HeadModel, LandmarkEmbedding
from ..heads.landmark_sets import MEDIAPIPE_105
from ..heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from .gauss_newton import FrameProblem, Smoothness
from .hidden_regions import trust_of_landmarks, trust_of_motion, trust_of_regions
from .landmark_model import FrameLayout, LandmarkModel
from .landmark_prior import LandmarkEstimate

if TYPE_CHECKING:
    from .landmark_prior import LandmarkPrior
    from .measured import Measured
    from .observations import Observations

__all__ = ["ClipProblem", "SolveSettings", "initial_pose"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.intp]
_REFERENCE_STEP = 0.04  # seconds; strengths of smoothing are stated for 25 frames per second


@dataclass(frozen=True)
class SolveSettings:
    """What a user may change; defaults are measured (docs/accuracy.md).

    Attributes:
        neutral_frame: position in the take of a frame known to be neutral, or None to look for one.
        identity: (K,) a known identity to keep, or None to solve it.
        identity_size: how many identity coefficients to solve.
        smoothing: factor on all smoothing strengths; 0 solves every frame alone.
        learned_prior: use the learned model of the detector.
        landmark_error: metres, typical error of a landmark of average trust.
        independence: share of the landmarks that count as independent witnesses (their errors are correlated).
        identity_weight: precision of the identity prior (coefficients have unit variance).
        prior_confidence: how much more the learned model counts than its own standard deviations say. It has read the
            very same landmarks, knowing how the detector errs; the landmark term knows no such thing and would
            pull its estimates back to the detector's mistakes.
        encoder_expression: standard deviation of an encoder's expressions, in units of the spread that expressions
            have among people (a coefficient of FLAME; a third of a weight).
        encoder_jaw: radians, its error on jaw angles. encoder_eyelids: its error on lid closure.
        encoder_rotation: radians, its error on how the head is turned.
        encoder_identity: its error on identity coefficients (of unit variance among people), over a whole clip.
        disagreement: how much of the square of their difference is added to the squared errors of an encoder and of
            the learned model, where they speak of the same number.
        encoder_points: solve for the encoder's dense points instead of the detector's landmarks, where it has them.
        encoder_confidence: how much more an encoder counts that states its own uncertainty than it says; then the
            first three numbers are not used. Like the learned model it stands against a landmark term that would
            pull its estimates back to the detector's mistakes.
    """

    neutral_frame: int | None = None
    identity: tuple[float, ...] | None = None
    identity_size: int = 100
    smoothing: float = 1.0
    learned_prior: bool = True
    landmark_error: float = 0.002
    independence: float = 0.12
    identity_weight: float = 0.3
    prior_confidence: float = 10.0
    encoder_expression: float = 0.5
    encoder_jaw: float = 0.05
    encoder_eyelids: float = 0.15
    encoder_rotation: float = 0.1
    encoder_identity: float = 0.5
    encoder_confidence: float = 10.0
    disagreement: float = 0.01
    encoder_points: bool = False


# Relative strength of smoothing per block: heads move slowly, lids and eyes do not.
_STRENGTH: Mapping[str, float] = {
    "rotation": 1.0,
    "log_scale": 4.0,
    "shift": 0.5,
    "jaw": 0.5,
    "eyes": 0.25,
    "eyelids": 0.08,
    "expression": 0.6,
}
# Second differences per frame (at 25 frames per second) that are motion rather than noise, unless a clip is noisier.
_QUICK: Mapping[str, float] = {
    "rotation": 0.008,
    "log_scale": 0.004,
    "shift": 0.0008,
    "jaw": 0.02,
    "eyes": 0.03,
    "eyelids": 0.1,
    "expression": 0.08,
}
# Standard deviations of what is known before any landmark: radians, logarithms, metres, weights.
_SPREAD: Mapping[str, float] = {"jaw": 0.2, "eyes": 0.25, "eyelids": 0.5, "expression": 0.3}


def _embedding(model: HeadModel) -> tuple[LandmarkEmbedding, Ints]:
    """The richest embedding that the head has for MediaPipe's points, and which points those are."""
    if "mediapipe_478" in model.landmarks:
        return model.landmarks["mediapipe_478"], np.arange(478)
    return model.landmarks["mediapipe_105"], np.array(MEDIAPIPE_105)


def initial_pose(mean: Floats, stable: Floats, observed: Floats) -> tuple[Floats, Floats, Floats]:
    """Similarity of the mean head's landmarks to each frame's (weighted Procrustes in three dimensions).

    Args:
        mean: (L, 3) metres. stable: (L,) weights. observed: (N, L, 3) pixels, z like MediaPipe's.

    Returns:
        rotations (N, 3, 3), scales (N,) px/m, image shift (N, 2) px such that u = s X + tu, v = -s Y + tv.
    """
    target = observed * np.array([1.0, -1.0, -1.0])
    w = stable / stable.sum()
    centre, middle = w @ mean, np.einsum("l,nlc->nc", w, target)
    p, q = mean - centre, target - middle[:, None]
    u, sigma, vt = np.linalg.svd(np.einsum("l,nli,lj->nij", w, q, p))
    sign = np.ones_like(sigma)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (sigma * sign).sum(1) / (w @ (p * p).sum(1))
    shift = middle - scale[:, None] * (rotation @ centre)
    return rotation, scale, np.stack([shift[:, 0], -shift[:, 1]], axis=1)


def _facing(model: HeadModel, embedding: LandmarkEmbedding, rotations: Floats) -> Floats:
    """(N, L) how far each landmark faces the camera: 1 for seen, small for turned away."""
    corners = model.template[model.triangles[embedding.triangles]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    depth = np.einsum("nc,lc->nl", rotations[:, 2], normal)
    return np.clip((depth + 0.25) / 0.5, 0.1, 1.0)


def _blocks(rows: Floats, size: int = 512) -> list[Floats]:
    """Views of a few hundred rows each: what is computed from landmarks is larger than the landmarks."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]


class ClipProblem:
    """One face's observations in the solver's units, with everything that the steps share."""

    def __init__(self, model: HeadModel, observations: Observations, settings: SolveSettings) -> None:
        self.model, self.settings = model, settings
        self.detector: Literal["facemesh", "task"] = (
            "task" if observations.detector.startswith("landmarker") else "facemesh"
        )
        self.embedding, points = _embedding(model)
        embedding = self.embedding
        self.visible = np.flatnonzero(np.isfinite(observations.landmarks[:, 0, 0]) & (observations.visibility > 0))
        if len(self.visible) == 0:
            raise MediaError("No face was found in any frame.")
        self.landmarks = np.asarray(observations.landmarks[self.visible], np.float32)  # all 478, for the prior
        detected = self.landmarks if len(points) == self.landmarks.shape[1] else self.landmarks[:, points]
        self.times = np.asarray(observations.times, np.float64)
        self.lm = LandmarkModel(model, embedding, settings.identity_size)
        self.layout: FrameLayout = self.lm.layout

        mean = landmark_points(model, model.template[None], embedding)[0].astype(np.float64)
        jaw_share = model.skinning_weights[model.triangles[embedding.triangles]][..., 2:].sum(-1).mean(1)
        stable = embedding.weight * (1.001 - jaw_share) ** 8
        poses = [initial_pose(mean, stable, part.astype(np.float64)) for part in _blocks(detected)]
        rotation, scale, shift = (np.concatenate(parts) for parts in zip(*poses, strict=True))
        self.rotations = rotation
        u, _, vt = np.linalg.svd(rotation.mean(0))
        self.base = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
        self.scale = float(np.median(scale))
        self.start = np.zeros((len(detected), self.layout.size))
        self.start[:, 0:3] = rotvec_from_matrix(rotation @ self.base.T)
        self.start[:, 3] = np.log(np.maximum(scale, 1e-6) / self.scale)
        # The head turns about its root joint, Procrustes about the origin.
        root = (model.joint_regressor[0] @ model.template).astype(np.float64)
        swing = (rotation @ root - root)[:, :2] * np.array([1.0, -1.0])
        self.start[:, 4:6] = (shift + scale[:, None] * swing) / self.scale

        self.points = np.ascontiguousarray(np.swapaxes(detected[..., :2], 1, 2)) / np.float32(self.scale)
        self.seen = _facing(model, embedding, rotation).astype(np.float32)
        variance = (settings.landmark_error / embedding.weight) ** 2 / settings.independence
        self.trust = (self.seen / variance).astype(np.float32)
        outlier = (3 * settings.landmark_error / embedding.weight).astype(np.float32)
        self.outlier = np.broadcast_to(outlier, self.trust.shape)

        low, high = np.full(self.layout.size, -np.inf), np.full(self.layout.size, np.inf)
        low[self.layout["expression"]], high[self.layout["expression"]] = model.expression_range
        low[self.layout["eyelids"]], high[self.layout["eyelids"]] = 0.0, 1.0
        low[6], high[6] = 0.0, 1.1 * model.angles.get("jawOpen", 0.5)
        low[9:13], high[9:13] = -0.7, 0.7
        self.low, self.high = low.astype(np.float32), high.astype(np.float32)
        # Weights run from 0 to 1; components such as FLAME's have a standard deviation of 1 among people.
        self.expression_unit = 1.0 if model.expression_range[0] >= 0 else 1 / _SPREAD["expression"]

    def default_prior(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N, P) of the unknowns before any landmark; infinite where nothing is known."""
        n, p = self.start.shape
        mean, spread = np.zeros((n, p)), np.full((n, p), np.inf)
        for name, value in _SPREAD.items():
            spread[:, self.layout[name]] = value
        spread[:, self.layout["expression"]] *= self.expression_unit
        spread[:, 7:9] = (0.05, 0.03)  # a jaw opens far, moves sideways little and hardly rolls
        return mean, spread

    def learned_prior(self, prior: LandmarkPrior, neutral: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Mean and spread (N, P) from the learned model of the detector, and its raw weights (N, 52)."""
        parts = [prior.predict(part, neutral=neutral, detector=self.detector) for part in _blocks(self.landmarks)]
        weights, sigma = np.concatenate([p.weights for p in parts]), np.concatenate([p.sigma for p in parts])
        estimate = LandmarkEstimate(weights, sigma)
        mean, spread = self.default_prior()
        for name, (centre, sigma) in estimate.groups(self.model).items():
            block, known = self.layout[name], np.isfinite(sigma)
            mean[:, block] = np.where(known, centre, mean[:, block])
            spread[:, block] = np.where(known, sigma / np.sqrt(self.settings.prior_confidence), spread[:, block])
        return mean, spread, weights

    def start_from(self, measured: Measured) -> None:
        """Start every frame at the encoder's pose where the landmarks agree with it better than with their own fit."""
        groups = measured.groups
        rotation = matrix_from_rotvec(groups["rotation"].astype(np.float64))
        camera = groups["camera"].astype(np.float64)
        other = np.zeros_like(self.start)
        other[:, 0:3] = rotvec_from_matrix(rotation @ self.base.T)
        other[:, 3] = np.log(np.maximum(camera[:, 0], 1e-6) / self.scale)
        other[:, 4:6] = camera[:, 1:] / self.scale
        for name in ("jaw", "eyelids", "eyes", "expression"):
            if name in groups:
                other[:, self.layout[name]] = groups[name]
        identity = np.asarray(measured.identity, np.float64)
        for first in range(0, len(other), 256):
            part = slice(first, first + 256)
            misses = []
            for unknowns, code in ((self.start[part], 0 * identity), (other[part], identity)):
                points, _, _ = self.lm.evaluate(code, unknowns, self.base)
                misses.append(((self.points[part] - points) ** 2 * self.seen[part][:, None]).sum((1, 2)))
            self.start[part] = np.where((misses[1] < misses[0])[:, None], other[part], self.start[part])

    def with_measured(
        self, measured: Measured, mean: Floats, spread: Floats, *, learned: bool
    ) -> tuple[Floats, Floats]:
        """Mean and spread (N, P) once the encoder has been heard.

        What the learned model of the detector says is weighed against it, less where the encoder sees a region hidden;
        there the landmarks themselves count less as well. Where the two contradict each other, at least one is wrong
        about how sure it is: the more they do, the less their own word for it decides, and they meet in the middle.
        The spread among people only fills up what the encoder is unsure of: an encoder has learned that spread too.
        """
        mean, spread = mean.copy(), spread.copy()
        settings = self.settings
        shares: dict[str, Floats] = {}
        if measured.visibility is not None:
            trust = trust_of_regions(measured.visibility)
            self.trust = self.trust * trust_of_landmarks(self.model, self.embedding, trust).astype(np.float32)
            shares = trust_of_motion(self.model, trust)
        turned = matrix_from_rotvec(measured.groups["rotation"].astype(np.float64)) @ self.base.T
        errors: dict[str, tuple[Floats, Floats | float]] = {
            "rotation": (rotvec_from_matrix(turned), settings.encoder_rotation),
            "jaw": (measured.groups["jaw"], settings.encoder_jaw),
            "eyelids": (measured.groups["eyelids"], settings.encoder_eyelids),
            "expression": (
                measured.groups["expression"],
                settings.encoder_expression * _SPREAD["expression"] * self.expression_unit,
            ),
        }
        for name, stated in measured.spread.items():  # better than any one number for all faces
            errors[name] = measured.groups[name], stated.astype(np.float64) / np.sqrt(settings.encoder_confidence)
        for name, (values, error) in errors.items():
            block = self.layout[name]
            if learned and name in measured.spread:
                doubt = settings.disagreement * (values - mean[:, block]) ** 2
                share = shares.get(name, 1.0)
                heard, seen = share / (spread[:, block] ** 2 + doubt), 1 / (error**2 + doubt)
                # Together they stay as sure as they were: doubt moves the estimate, and does not hand it to the
                # landmarks, which know no expression.
                whole = (share / spread[:, block] ** 2 + 1 / error**2) / (heard + seen)
                spread[:, block], error = 1 / np.sqrt(whole * heard), 1 / np.sqrt(whole * seen)
            before = 1 / spread[:, block] ** 2
            if not learned:  # certainty is never less than that of knowing people, but that is not counted twice
                before = np.maximum(before - 1 / error**2, 0.0)
            precision = before + 1 / error**2
            told = np.where(before > 0, mean[:, block], 0.0)
            mean[:, block] = (before * told + np.asarray(values, np.float64) / error**2) / precision
            spread[:, block] = 1 / np.sqrt(precision)
        return mean, spread

    def problem(self, mean: Floats, spread: Floats, smoothness: Smoothness | None = None) -> FrameProblem:
        precision = (1 / spread**2).astype(np.float32)
        return FrameProblem(
            self.lm, self.base, self.points, self.trust, self.outlier, mean.astype(np.float32), precision, self.low,
            self.high, smoothness,
        )  # fmt: skip

    def smoothness(self) -> Smoothness | None:
        """Strengths at this clip's frame distance; frames further apart bind each other less."""
        if self.settings.smoothing <= 0 or len(self.visible) < 3:
            return None
        step = np.diff(self.times[self.visible])
        span = np.maximum(np.maximum(step[1:], step[:-1]), 1e-4)
        # The penalty on the second difference that stands for the same curvature in seconds scales with dt^-3.
        coupling = np.where(span < 0.25, np.minimum((_REFERENCE_STEP / span) ** 3, 60.0), 0.0)
        strength, quick = np.zeros(self.layout.size), np.zeros(self.layout.size)
        for name, value in _STRENGTH.items():
            strength[self.layout[name]] = value * self.settings.smoothing
            quick[self.layout[name]] = _QUICK[name] * max(1.0, (float(np.median(span)) / _REFERENCE_STEP) ** 2)
        quick[self.layout["expression"]] *= self.expression_unit
        return Smoothness(strength.astype(np.float32), coupling.astype(np.float32), quick.astype(np.float32))

    def use_points(self, measured: Measured) -> None:
        """Solve for an encoder's dense points instead of the detector's landmarks; each counts as it says itself."""
        assert measured.points is not None and measured.point_error is not None and measured.vertices is not None
        self.embedding = vertex_embedding(self.model, measured.vertices)
        self.lm = LandmarkModel(self.model, self.embedding, self.lm.identity_size)
        self.points = np.ascontiguousarray(np.swapaxes(measured.points, 1, 2) / self.scale, np.float32)
        error = np.maximum(measured.point_error / self.scale, 1e-4)
        self.seen = (self.settings.landmark_error / error).clip(0, 1).astype(np.float32)
        self.trust = (self.settings.independence / error**2).astype(np.float32)
        self.outlier = (3 * error).astype(np.float32)

    def use_identity_size(self, size: int) -> None:
        """Solve with another number of identity coefficients than the settings say."""
        self.lm = LandmarkModel(self.model, self.embedding, size)

    def groups(self, x: Floats) -> dict[str, Floats]:
        """Solver unknowns (N, P) to take groups."""
        layout = self.layout
        scale = self.scale * np.exp(x[:, 3:4].astype(np.float64))
        rotation = matrix_from_rotvec(x[:, 0:3].astype(np.float64)) @ self.base
        return {
            "rotation": rotvec_from_matrix(rotation),
            "camera": np.concatenate([scale, self.scale * x[:, 4:6]], axis=1),
            "jaw": np.array(x[:, layout["jaw"]], np.float64),
            "eyes": np.array(x[:, layout["eyes"]], np.float64),
            "eyelids": np.array(x[:, layout["eyelids"]], np.float64),
            "expression": np.array(x[:, layout["expression"]], np.float64),
        }
