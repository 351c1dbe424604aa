# SPDX-License-Identifier: Apache-2.0
"""The clip solve: all frames of one face together, from detected landmarks to parameters.

A clip has one identity, one camera convention and motion that does not jump. The steps: pose of every frame from the
mean head; what the learned model of the detector says about the expression; the most neutral frames; identity from a
few well-chosen frames; then all frames, smooth in time. Each step is a batched Gauss-Newton solve (gauss_newton.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import MediaError
from ..heads.arkit import arkit_from_groups, groups_from_arkit
from ..heads.decode import landmark_points
from ..heads.head_model import HeadModel, LandmarkEmbedding
from ..heads.landmark_sets import MEDIAPIPE_105
from ..heads.parameters import ARKIT_NAMES
from ..heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from ..progress import Progress, silent
from .gauss_newton import FrameProblem, Smoothness, solve_frames, solve_with_identity
from .landmark_model import FrameLayout, LandmarkModel

if TYPE_CHECKING:
    from .landmark_prior import LandmarkPrior
    from .observations import Observations

__all__ = ["Solution", "SolveSettings", "solve_clip"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.intp]
_REFERENCE_STEP = 0.04  # seconds; strengths of smoothing are stated for 25 frames per second
_WINDOW, _OVERLAP = 1500, 40  # long clips are solved in windows so that memory stays bounded


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
    """

    neutral_frame: int | None = None
    identity: tuple[float, ...] | None = None
    identity_size: int = 100
    smoothing: float = 1.0
    learned_prior: bool = True
    landmark_error: float = 0.002
    independence: float = 0.12
    identity_weight: float = 1.0


@dataclass(frozen=True)
class Solution:
    """What a solve finds.

    Attributes:
        identity: (K,).
        groups: per-frame groups of :mod:`smirk_core.heads.parameters`, each (N, size), camera in full-frame pixels.
        error: (N,) root mean square landmark distance in metres at the head; NaN where no face was seen.
        neutral_frames: positions that were taken as neutral.
    """

    identity: Floats
    groups: dict[str, Floats]
    error: Floats
    neutral_frames: tuple[int, ...]


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


def _initial_pose(mean: Floats, stable: Floats, observed: Floats) -> tuple[Floats, Floats, Floats]:
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


class _Clip:
    """One face's observations in the solver's units, with everything that the steps share."""

    def __init__(self, model: HeadModel, observations: Observations, settings: SolveSettings) -> None:
        self.model, self.settings = model, settings
        self.detector: Literal["facemesh", "task"] = (
            "task" if getattr(observations, "detector", "").startswith("landmarker") else "facemesh"
        )
        embedding, points = _embedding(model)
        self.visible = np.flatnonzero(np.isfinite(observations.landmarks[:, 0, 0]) & (observations.visibility > 0))
        if len(self.visible) == 0:
            raise MediaError("No face was found in any frame.")
        self.landmarks = np.asarray(observations.landmarks[self.visible], np.float32)  # all 478, for the prior
        detected = self.landmarks[:, points].astype(np.float64)
        self.times = np.asarray(observations.times, np.float64)
        self.lm = LandmarkModel(model, embedding, settings.identity_size)
        self.layout: FrameLayout = self.lm.layout

        mean = landmark_points(model, model.template[None], embedding)[0].astype(np.float64)
        jaw_share = model.skinning_weights[model.triangles[embedding.triangles]][..., 2:].sum(-1).mean(1)
        rotation, scale, shift = _initial_pose(mean, embedding.weight * (1.001 - jaw_share) ** 8, detected)
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

        self.points = np.ascontiguousarray(np.swapaxes(detected[..., :2] / self.scale, 1, 2)).astype(np.float32)
        self.seen = _facing(model, embedding, rotation)
        variance = (settings.landmark_error / embedding.weight) ** 2 / settings.independence
        self.trust = (self.seen / variance).astype(np.float32)
        self.outlier = np.broadcast_to(3 * settings.landmark_error / embedding.weight, self.trust.shape).astype(
            np.float32
        )

        low, high = np.full(self.layout.size, -np.inf), np.full(self.layout.size, np.inf)
        low[self.layout["expression"]], high[self.layout["expression"]] = model.expression_range
        low[self.layout["eyelids"]], high[self.layout["eyelids"]] = 0.0, 1.0
        low[6], high[6] = 0.0, 1.1 * model.angles.get("jawOpen", 0.5)
        low[9:13], high[9:13] = -0.7, 0.7
        self.low, self.high = low.astype(np.float32), high.astype(np.float32)

    def default_prior(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N, P) of the unknowns before any landmark; infinite where nothing is known."""
        n, p = self.start.shape
        mean, spread = np.zeros((n, p)), np.full((n, p), np.inf)
        for name, value in _SPREAD.items():
            spread[:, self.layout[name]] = value
        spread[:, 7:9] = (0.05, 0.03)  # a jaw opens far, moves sideways little and hardly rolls
        return mean, spread

    def learned_prior(self, prior: LandmarkPrior, neutral: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Mean and spread (N, P) from the learned model of the detector, and its raw weights (N, 52)."""
        estimate = prior.predict(self.landmarks, neutral=neutral, detector=self.detector)
        mean, spread = self.default_prior()
        centre = groups_from_arkit(self.model, estimate.weights)
        unit = np.eye(len(ARKIT_NAMES))
        jacobian = groups_from_arkit(self.model, unit)  # rows: weights, columns: group entries
        for name in ("expression", "eyelids", "jaw", "eyes"):
            block = self.layout[name]
            variance = estimate.sigma**2 @ jacobian[name] ** 2
            known = (jacobian[name] ** 2).sum(0) > 0
            mean[:, block] = np.where(known, centre[name], mean[:, block])
            spread[:, block] = np.where(known, np.sqrt(variance), spread[:, block])
        return mean, spread, estimate.weights

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
        return Smoothness(strength.astype(np.float32), coupling.astype(np.float32), quick.astype(np.float32))


def _load_prior(model: HeadModel, settings: SolveSettings) -> LandmarkPrior | None:
    """The learned model of the detector, for heads whose expressions carry ARKit's names."""
    if not settings.learned_prior or not model.angles:
        return None
    try:
        from .landmark_prior import load_landmark_prior

        return load_landmark_prior()
    except Exception:  # DEV
        return None


def _activity(weights: Floats) -> Floats:
    """(N,) how far each frame is from neutral, by its (N, 52) ARKit weights; gaze does not count."""
    counts = np.array([0.0 if name.startswith("eyeLook") else 1.0 for name in ARKIT_NAMES])
    return np.asarray(np.abs(weights) @ counts)


def _neutral_frames(clip: _Clip, weights: Floats) -> Ints:
    """Positions (among visible frames) of the most neutral, most frontal frames; empty when none is near neutral."""
    if clip.settings.neutral_frame is not None:
        return np.flatnonzero(clip.visible == clip.settings.neutral_frame)
    turned = np.arccos(np.clip(clip.rotations[:, 2, 2], -1, 1))
    score = _activity(weights) + 1.5 * np.maximum(turned - 0.25, 0)
    count = max(1, min(8, len(score) // 10))
    best = np.argsort(score)[:count]
    return best[score[best] < max(1.2, 1.5 * float(score.min()))] if float(score.min()) < 2.0 else best[:0]


def _identity_frames(clip: _Clip, neutral: Ints) -> Ints:
    """A few frames that say most about identity: spread in time, the extremes of yaw, the neutral ones."""
    n = len(clip.visible)
    if n <= 32:
        return np.arange(n)
    yaw = clip.rotations[:, 0, 2]
    spread = np.linspace(0, n - 1, 20).round().astype(int)
    sides = np.argsort(yaw)[[0, n // 20, -1 - n // 20, -1]]
    return np.unique(np.concatenate([spread, sides, neutral]).astype(int))


def _bridge(values: Floats, visible: Ints, times: Floats) -> Floats:
    """Fill the frames without a face: straight between known neighbours, held at the ends."""
    t, known = times, times[visible]
    right = np.clip(np.searchsorted(known, t), 1, max(len(known) - 1, 1))
    if len(known) == 1:
        return np.repeat(values, len(t), axis=0)
    left = right - 1
    share = np.clip((t - known[left]) / (known[right] - known[left]), 0, 1)[:, None]
    return (1 - share) * values[left] + share * values[right]


def solve_clip(
    model: HeadModel, observations: Observations, settings: SolveSettings | None = None, progress: Progress = silent
) -> Solution:
    """Solve identity, pose, camera, expression, jaw, lids and gaze of one face over a clip (or a photo).

    Args:
        model: any head with MediaPipe landmarks.
        observations: landmarks in pixels over time; NaN where no face was seen.
        settings: see :class:`SolveSettings`.
        progress: called between the steps.

    Returns:
        One identity and all per-frame groups for every frame, bridged where no face was seen.

    Raises:
        MediaError: no frame shows a face.
        ValueError: ``settings.identity`` has more coefficients than the head.
    """
    settings = settings or SolveSettings()
    clip = _Clip(model, observations, settings)
    prior = _load_prior(model, settings)
    progress("Solving", 0, 4)

    mean, spread = clip.default_prior()
    if prior is not None:
        mean, spread, weights = clip.learned_prior(prior, None)
    else:
        alone = solve_frames(clip.problem(mean, spread), np.zeros(clip.lm.identity_size), clip.start, 4)
        weights = arkit_from_groups(model, _groups(clip, alone)) if model.angles else np.abs(alone[:, 15:])
    neutral = _neutral_frames(clip, weights)
    if prior is not None and len(neutral) and len(clip.visible) > 1:
        mean, spread, weights = clip.learned_prior(prior, clip.landmarks[neutral])
    _anchor(clip, mean, spread, neutral)
    progress("Solving", 1, 4)

    x = clip.start
    if settings.identity is not None:
        identity = np.asarray(settings.identity, np.float64)
        if len(identity) > model.identity_size:
            raise ValueError(f"{len(identity)} identity coefficients for a head with {model.identity_size}")
        clip.lm = LandmarkModel(model, _embedding(model)[0], len(identity))
    else:
        identity, x = _solve_identity(clip, mean, spread, neutral)
    progress("Solving", 2, 4)

    x = _solve_windows(clip, mean, spread, identity, x)
    progress("Solving", 3, 4)
    error = _errors(clip, identity, x)
    groups = _groups(clip, _bridge(x, clip.visible, clip.times))
    n = len(clip.times)
    seen = np.zeros((n, 1))
    seen[clip.visible] = 1.0
    trust = np.zeros((n, 1))
    trust[clip.visible, 0] = 1 / (1 + (error / (2 * settings.landmark_error)) ** 2)
    all_errors = np.full(n, np.nan)
    all_errors[clip.visible] = error
    groups |= {"confidence": trust, "visibility": seen, "neck": np.zeros((n, 3))}
    full = np.zeros(model.identity_size)
    full[: len(identity)] = identity
    progress("Solving", 4, 4)
    return Solution(full, groups, all_errors, tuple(int(i) for i in clip.visible[neutral]))


def _anchor(clip: _Clip, mean: Floats, spread: Floats, neutral: Ints) -> None:
    """Tell the neutral frames that they are: firmly where the user says so, gently where they were found."""
    if not len(neutral):
        return
    firm = clip.settings.neutral_frame is not None
    for name in ("expression", "jaw"):
        block = clip.layout[name]
        pull = 0.0 if firm else 0.5
        mean[neutral, block] *= pull
        spread[neutral, block] = np.minimum(spread[neutral, block], 0.03 if firm else 0.08)


def _solve_identity(clip: _Clip, mean: Floats, spread: Floats, neutral: Ints) -> tuple[Floats, Floats]:
    frames = _identity_frames(clip, neutral)
    start = clip.start.copy()
    known = np.isfinite(spread)
    start[known] = mean[known]
    problem = clip.problem(mean, spread).take(frames)
    # Errors of a detector are much the same in every frame of a clip: more frames are not more evidence on identity.
    weight = clip.settings.identity_weight * max(1.0, len(frames) / 6)
    precision = np.full(clip.lm.identity_size, weight)
    x = solve_frames(problem, np.zeros(clip.lm.identity_size), start[frames], 3)
    identity, solved = solve_with_identity(problem, np.zeros(clip.lm.identity_size), x, precision, 8)
    start[frames] = solved
    return identity, start


def _solve_windows(clip: _Clip, mean: Floats, spread: Floats, identity: Floats, x: Floats) -> Floats:
    """All frames with the identity fixed: first each alone, then together in time, in overlapping windows."""
    smooth = clip.smoothness()
    whole = clip.problem(mean, spread)
    out = np.array(x)
    n = len(out)
    for start in range(0, n, _WINDOW):
        low, high = max(0, start - _OVERLAP), min(n, start + _WINDOW + _OVERLAP)
        part = whole.take(slice(low, high))
        solved = solve_frames(part, identity, out[low:high], 5)
        if smooth is not None and high - low >= 3:
            coupled = replace(part, smoothness=Smoothness(smooth.strength, smooth.coupling[low : high - 2], smooth.quick))
            solved = solve_frames(coupled, identity, solved, 3)
        keep = slice(start, min(n, start + _WINDOW))
        out[keep] = solved[start - low : start - low + keep.stop - keep.start]
    return out


def _errors(clip: _Clip, identity: Floats, x: Floats) -> Floats:
    """(N,) weighted root mean square distance of projected and detected landmarks, metres."""
    error = np.empty(len(x))
    for start in range(0, len(x), 256):
        part = slice(start, start + 256)
        points, _, _ = clip.lm.evaluate(identity, x[part], clip.base)
        square = ((clip.points[part] - points) ** 2).sum(1)
        error[part] = np.sqrt((square * clip.seen[part]).sum(1) / clip.seen[part].sum(1))
    return error


def _groups(clip: _Clip, x: Floats) -> dict[str, Floats]:
    """Solver unknowns (N, P) to take groups."""
    layout = clip.layout
    scale = clip.scale * np.exp(x[:, 3:4].astype(np.float64))
    rotation = matrix_from_rotvec(x[:, 0:3].astype(np.float64)) @ clip.base
    return {
        "rotation": rotvec_from_matrix(rotation),
        "camera": np.concatenate([scale, clip.scale * x[:, 4:6]], axis=1),
        "jaw": np.array(x[:, layout["jaw"]], np.float64),
        "eyes": np.array(x[:, layout["eyes"]], np.float64),
        "eyelids": np.array(x[:, layout["eyelids"]], np.float64),
        "expression": np.array(x[:, layout["expression"]], np.float64),
    }
