# SPDX-License-Identifier: Apache-2.0
"""The clip solve on a head whose every landmark is known exactly: what comes out is compared with what went in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from smirk_core.errors import MediaError
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking import solve
from smirk_core.tracking.landmark_prior import LandmarkEstimate
from smirk_core.tracking.solve import SolveSettings, solve_clip

PLAIN = SolveSettings(learned_prior=False)


def performance(head: HeadModel, frames: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Smooth motion of everything, weights within their bounds and often at zero."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / 25

    def wave(low: float, high: float, hertz: float) -> np.ndarray:
        return low + (high - low) * (0.5 + 0.5 * np.sin(2 * np.pi * (hertz * t + rng.random())))

    weights = [np.maximum(wave(-0.6, 0.7, rng.uniform(0.2, 1.0)), 0) for _ in range(head.expression_size)]
    return {
        "identity": np.repeat(rng.normal(size=(1, head.identity_size)), frames, axis=0),
        "expression": np.stack(weights, axis=1),
        "eyelids": np.stack([np.maximum(wave(-1, 1, 0.5), 0), np.maximum(wave(-1, 1, 0.4), 0)], axis=1),
        "jaw": np.stack([np.maximum(wave(-0.3, 0.35, 0.9), 0), wave(-0.05, 0.05, 0.3), 0 * t], axis=1),
        "eyes": np.stack([wave(-0.2, 0.2, 0.3) for _ in range(4)], axis=1),
        "rotation": np.stack([wave(-0.2, 0.2, 0.2), wave(-0.6, 0.6, 0.15), wave(-0.1, 0.1, 0.2)], axis=1),
        "camera": np.stack([wave(2900, 3100, 0.1), wave(600, 700, 0.2), wave(300, 400, 0.2)], axis=1),
    }


def observe(head: HeadModel, truth: dict[str, np.ndarray], noise: float = 0.0, seed: int = 0) -> Any:
    points = landmark_points(head, decode(head, truth).vertices, head.landmarks["mediapipe_478"])
    seen = project(points, truth["camera"])
    seen = seen + noise * np.random.default_rng(seed).normal(size=seen.shape)
    n = len(seen)
    return SimpleNamespace(
        times=np.arange(n) / 25,
        landmarks=seen.astype(np.float32),
        visibility=np.ones(n),
        width=1280,
        height=720,
        detector="facemesh-0.10.21",
    )


def test_recovers_a_known_performance(toy_head: HeadModel) -> None:
    truth = performance(toy_head, 60)
    solution = solve_clip(toy_head, observe(toy_head, truth, noise=0.5), PLAIN)
    found = solution.groups
    assert np.nanmean(solution.error) < 1.2e-3
    assert np.corrcoef(found["expression"].ravel(), truth["expression"].ravel())[0, 1] > 0.9
    np.testing.assert_allclose(found["rotation"], truth["rotation"], atol=0.15)
    np.testing.assert_allclose(found["camera"][:, 0], truth["camera"][:, 0], rtol=0.05)


def test_weights_stay_within_their_bounds(toy_head: HeadModel) -> None:
    solution = solve_clip(toy_head, observe(toy_head, performance(toy_head, 30), noise=6.0), PLAIN)
    for name in ("expression", "eyelids"):
        assert solution.groups[name].min() >= 0.0
        assert solution.groups[name].max() <= 1.0


def test_gaps_are_bridged_between_what_is_known(toy_head: HeadModel) -> None:
    observations = observe(toy_head, performance(toy_head, 40))
    gap = slice(15, 22)
    observations.landmarks[gap] = np.nan
    observations.visibility[gap] = 0
    solution = solve_clip(toy_head, observations, PLAIN)
    yaw = solution.groups["rotation"][:, 1]
    assert not solution.groups["visibility"][gap].any()
    assert solution.groups["visibility"].sum() == 33
    assert np.isnan(solution.error[gap]).all()
    straight = np.linspace(yaw[14], yaw[22], 9)[1:-1]
    np.testing.assert_allclose(yaw[gap], straight, atol=2e-3)


def test_ends_without_a_face_are_held(toy_head: HeadModel) -> None:
    observations = observe(toy_head, performance(toy_head, 12))
    observations.landmarks[:3] = np.nan
    observations.landmarks[-2:] = np.nan
    groups = solve_clip(toy_head, observations, PLAIN).groups
    np.testing.assert_array_equal(groups["camera"][0], groups["camera"][3])
    np.testing.assert_array_equal(groups["camera"][-1], groups["camera"][-3])


def test_a_photo_is_a_clip_of_one_frame(toy_head: HeadModel) -> None:
    solution = solve_clip(toy_head, observe(toy_head, performance(toy_head, 1)), PLAIN)
    assert solution.groups["rotation"].shape == (1, 3)
    assert solution.error[0] < 2e-3


def test_no_face_at_all(toy_head: HeadModel) -> None:
    observations = observe(toy_head, performance(toy_head, 3))
    observations.landmarks[:] = np.nan
    with pytest.raises(MediaError, match="No face"):
        solve_clip(toy_head, observations, PLAIN)


def test_a_given_identity_is_kept(toy_head: HeadModel) -> None:
    truth = performance(toy_head, 10)
    known = tuple(truth["identity"][0])
    solution = solve_clip(toy_head, observe(toy_head, truth), SolveSettings(identity=known, learned_prior=False))
    np.testing.assert_allclose(solution.identity, known)
    assert np.nanmean(solution.error) < 1e-3


def test_a_given_neutral_frame_has_no_expression(toy_head: HeadModel) -> None:
    truth = performance(toy_head, 20)
    for name in ("expression", "jaw", "eyelids"):
        truth[name][8] = 0
    settings = SolveSettings(learned_prior=False, neutral_frame=8)
    found = solve_clip(toy_head, observe(toy_head, truth), settings)
    assert found.neutral_frames == (8,)
    assert found.groups["expression"][8].mean() < 0.05
    assert found.groups["expression"][3].mean() > 2 * found.groups["expression"][8].mean()


def test_smoothing_removes_jitter_without_lag(toy_head: HeadModel) -> None:
    truth = performance(toy_head, 100)
    observations = observe(toy_head, truth, noise=4.0)
    rough = solve_clip(toy_head, observations, SolveSettings(learned_prior=False, smoothing=0.0)).groups
    smooth = solve_clip(toy_head, observations, PLAIN).groups

    def jitter(groups: dict[str, np.ndarray]) -> float:
        return float(np.diff(groups["rotation"] - truth["rotation"], 2, axis=0).std())

    assert jitter(smooth) < jitter(rough) / 3
    yaw, true = smooth["rotation"][5:-5, 1], truth["rotation"][:, 1]
    lags = {lag: np.corrcoef(yaw, true[5 + lag : 95 + lag])[0, 1] for lag in range(-3, 4)}
    assert max(lags, key=lambda lag: lags[lag]) == 0


def test_a_tilted_or_upside_down_face(toy_head: HeadModel) -> None:
    truth = performance(toy_head, 8)
    truth["rotation"] = np.tile([0.05, 0.1, 2.9], (8, 1))
    solution = solve_clip(toy_head, observe(toy_head, truth), PLAIN)
    assert np.nanmean(solution.error) < 2e-3


class Witness:
    """Stands where the learned model of the detector stands and always says the same, with the same certainty."""

    def __init__(self, name: str, weight: float, sigma: float) -> None:
        self.asked: list[tuple[bool, str]] = []
        self._index, self._weight, self._sigma = ARKIT_NAMES.index(name), weight, sigma

    def predict(self, landmarks: np.ndarray, neutral: np.ndarray | None, detector: str) -> LandmarkEstimate:
        self.asked.append((neutral is not None, detector))
        weights = np.zeros((len(landmarks), len(ARKIT_NAMES)))
        weights[:, self._index] = self._weight
        return LandmarkEstimate(weights, np.full_like(weights, self._sigma))


def test_a_certain_learned_model_is_believed(toy_head: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = Witness("mouthPucker", 0.9, 1e-4)
    monkeypatch.setattr(solve, "_load_prior", lambda model, settings: witness)
    groups = solve_clip(toy_head, observe(toy_head, performance(toy_head, 20)), SolveSettings()).groups
    pucker = toy_head.expression_names.index("mouthPucker")
    np.testing.assert_allclose(groups["expression"][:, pucker], 0.9, atol=0.02)
    assert np.delete(groups["expression"], pucker, axis=1).max() < 0.02
    assert witness.asked[0] == (False, "facemesh")


def test_an_uncertain_learned_model_leaves_it_to_the_landmarks(
    toy_head: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solve, "_load_prior", lambda model, settings: Witness("mouthPucker", 0.9, 100.0))
    truth = performance(toy_head, 40)
    groups = solve_clip(toy_head, observe(toy_head, truth), SolveSettings()).groups
    assert np.corrcoef(groups["expression"].ravel(), truth["expression"].ravel())[0, 1] > 0.8


@pytest.mark.parametrize(("weight", "found"), [(0.0, True), (0.95, False)])
def test_a_face_that_never_rests_has_no_neutral_frame(
    toy_head: HeadModel, monkeypatch: pytest.MonkeyPatch, weight: float, found: bool
) -> None:
    witness = Witness("browInnerUp", weight, 0.1)
    monkeypatch.setattr(solve, "_load_prior", lambda model, settings: witness)
    truth = performance(toy_head, 40)
    truth["rotation"] *= 0.1
    solution = solve_clip(toy_head, observe(toy_head, truth), SolveSettings())
    assert bool(solution.neutral_frames) == found
    assert any(known for known, _ in witness.asked) == found
