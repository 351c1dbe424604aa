# SPDX-License-Identifier: Apache-2.0
"""The clip solve: all frames of one face together, from detected landmarks to parameters.

A clip has one identity, one camera convention and motion that does not jump. The steps: pose of every frame from the
mean head; what the learned model of the detector says about the expression; the most neutral frames; identity from a
few well-chosen frames; then all frames, smooth in time. Each step is a batched Gauss-Newton solve (gauss_newton.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..heads.arkit import arkit_from_groups
from ..heads.head_model import HeadModel
from ..heads.parameters import ARKIT_NAMES
from ..progress import Progress, silent
from .clip_problem import ClipProblem, SolveSettings
from .gaps import bridge
from .gauss_newton import Smoothness, solve_frames, solve_with_identity

if TYPE_CHECKING:
    from .landmark_prior import LandmarkPrior
    from .measured import Measured
    from .observations import Observations

__all__ = ["Solution", "SolveSettings", "solve_clip"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.intp]
_REST = 0.8  # sum of weights below which a frame may pass for neutral
_WINDOW, _OVERLAP = 1500, 40  # long clips are solved in windows so that memory stays bounded


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


def _load_prior(model: HeadModel, settings: SolveSettings) -> LandmarkPrior | None:
    """The learned model of the detector, for heads whose expressions carry ARKit's names."""
    if not settings.learned_prior or not model.angles:
        return None
    from .landmark_prior import load_landmark_prior

    return load_landmark_prior()


def _activity(weights: Floats) -> Floats:
    """(N,) how far each frame is from neutral, by its (N, 52) ARKit weights; gaze does not count."""
    counts = np.array([0.0 if name.startswith("eyeLook") else 1.0 for name in ARKIT_NAMES])
    return np.einsum("nw,w->n", np.abs(weights), counts)


def _neutral_frames(clip: ClipProblem, weights: Floats | None) -> Ints:
    """Positions (among visible frames) of the most neutral, most frontal frames; empty when none is near neutral.

    Where expressions have no meaning of their own (``weights`` None) none can be told; the user still can.
    """
    if clip.settings.neutral_frame is not None:
        return np.flatnonzero(clip.visible == clip.settings.neutral_frame)
    if weights is None:
        return np.arange(0)
    turned = np.arccos(np.clip(clip.rotations[:, 2, 2], -1, 1))
    score = _activity(weights) + 1.5 * np.maximum(turned - 0.25, 0)
    count = min(8, len(score) // 10)
    if count == 0:  # a photo or a moment says nothing about how this face rests
        return np.arange(0)
    best, least = np.argsort(score)[:count], float(score.min())
    # A frown that is taken for rest is lost in the whole clip: better no neutral than a wrong one.
    return best[score[best] < max(0.5, 1.5 * least)] if least < _REST else best[:0]


def _identity_frames(clip: ClipProblem, neutral: Ints) -> Ints:
    """A few frames that say most about identity: spread in time, the extremes of yaw, the neutral ones."""
    n = len(clip.visible)
    if n <= 32:
        return np.arange(n)
    yaw = clip.rotations[:, 0, 2]
    spread = np.linspace(0, n - 1, 20).round().astype(int)
    sides = np.argsort(yaw)[[0, n // 20, -1 - n // 20, -1]]
    return np.unique(np.concatenate([spread, sides, neutral]).astype(int))


def solve_clip(
    model: HeadModel,
    observations: Observations,
    settings: SolveSettings | None = None,
    progress: Progress = silent,
    measured: Measured | None = None,
) -> Solution:
    """Solve identity, pose, camera, expression, jaw, lids and gaze of one face over a clip (or a photo).

    Args:
        model: any head with MediaPipe landmarks.
        observations: landmarks in pixels over time; NaN where no face was seen.
        settings: see :class:`SolveSettings`.
        progress: called between the steps.
        measured: what an encoder says of the seen frames. It is weighed against the landmarks by the uncertainties in
            the settings: expression, jaw, lids and turn per frame, identity for the clip.

    Returns:
        One identity and all per-frame groups for every frame, bridged where no face was seen.

    Raises:
        MediaError: no frame shows a face.
        ValueError: ``settings.identity`` has more coefficients than the head, or ``measured`` other frames.
    """
    settings = settings or SolveSettings()
    clip = ClipProblem(model, observations, settings)
    if measured is not None:
        if len(measured) != len(clip.visible):
            raise ValueError(f"{len(measured)} frames of the encoder for {len(clip.visible)} in which a face was seen")
        clip.use_identity_size(model.identity_size)  # it knows more of an identity than landmarks show
    prior = _load_prior(model, settings)
    progress("Solving", 0, 4)

    mean, spread = clip.default_prior()
    if prior is not None:
        mean, spread, weights = clip.learned_prior(prior, None)
    elif model.angles:
        alone = solve_frames(clip.problem(mean, spread), np.zeros(clip.lm.identity_size), clip.start, 4)
        weights = arkit_from_groups(model, clip.groups(alone))
    else:
        weights = None
    neutral = _neutral_frames(clip, weights)
    if prior is not None and len(neutral) and len(clip.visible) > 1:
        mean, spread, weights = clip.learned_prior(prior, clip.landmarks[neutral])
    if measured is not None:
        clip.start_from(measured)
        if settings.encoder_points and measured.points is not None:
            clip.use_points(measured)
        mean, spread = clip.with_measured(measured, mean, spread, learned=prior is not None)
    _anchor(clip, mean, spread, neutral)
    progress("Solving", 1, 4)

    x = clip.start
    if settings.identity is not None:
        identity = np.asarray(settings.identity, np.float64)
        if len(identity) > model.identity_size:
            raise ValueError(f"{len(identity)} identity coefficients for a head with {model.identity_size}")
        clip.use_identity_size(len(identity))
    else:
        identity, x = _solve_identity(clip, mean, spread, neutral, None if measured is None else measured.identity)
    progress("Solving", 2, 4)

    x = _solve_windows(clip, mean, spread, identity, x)
    progress("Solving", 3, 4)
    error = _errors(clip, identity, x)
    groups = clip.groups(bridge(x, clip.visible, clip.times))
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


def _anchor(clip: ClipProblem, mean: Floats, spread: Floats, neutral: Ints) -> None:
    """Tell the neutral frames that they are: firmly where the user says so, gently where they were found."""
    if not len(neutral):
        return
    firm = clip.settings.neutral_frame is not None
    for name in ("expression", "jaw"):
        block = clip.layout[name]
        pull = 0.0 if firm else 0.5
        mean[neutral, block] *= pull
        spread[neutral, block] = np.minimum(spread[neutral, block], 0.03 if firm else 0.08)


def _solve_identity(
    clip: ClipProblem, mean: Floats, spread: Floats, neutral: Ints, measured: Floats | None
) -> tuple[Floats, Floats]:
    frames = _identity_frames(clip, neutral)
    start = clip.start.copy()
    known = np.isfinite(spread)
    known[:, :6] = False  # turn, size and place start where they fit
    start[known] = mean[known]
    problem = clip.problem(mean, spread).take(frames)
    # Errors of a detector are much the same in every frame of a clip: more frames are not more evidence on identity.
    weight = clip.settings.identity_weight
    first = np.zeros(clip.lm.identity_size)
    if measured is not None:  # an encoder's word takes the place of the mean face
        first, weight = np.asarray(measured, np.float64), 1 / clip.settings.encoder_identity**2
    precision = np.full(clip.lm.identity_size, weight * max(1.0, len(frames) / 6))
    x = solve_frames(problem, first, start[frames], 3)
    identity, solved = solve_with_identity(problem, first, x, precision, 8, first)
    start[frames] = solved
    return identity, start


def _solve_windows(clip: ClipProblem, mean: Floats, spread: Floats, identity: Floats, x: Floats) -> Floats:
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
            coupled = replace(
                part, smoothness=Smoothness(smooth.strength, smooth.coupling[low : high - 2], smooth.quick)
            )
            solved = solve_frames(coupled, identity, solved, 3)
        keep = slice(start, min(n, start + _WINDOW))
        out[keep] = solved[start - low : start - low + keep.stop - keep.start]
    return out


def _errors(clip: ClipProblem, identity: Floats, x: Floats) -> Floats:
    """(N,) weighted root mean square distance of projected and detected landmarks, metres."""
    error = np.empty(len(x))
    for start in range(0, len(x), 256):
        part = slice(start, start + 256)
        points, _, _ = clip.lm.evaluate(identity, x[part], clip.base)
        square = ((clip.points[part] - points) ** 2).sum(1)
        error[part] = np.sqrt((square * clip.seen[part]).sum(1) / clip.seen[part].sum(1))
    return error
