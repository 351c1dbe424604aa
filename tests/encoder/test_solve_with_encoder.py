# SPDX-License-Identifier: Apache-2.0
"""The solve with an encoder as one witness and landmarks as the other, on performances that are known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.landmark_sets import MEDIAPIPE_105
from smirk_core.heads.library import load_head
from smirk_core.tracking.clip_problem import ClipProblem
from smirk_core.tracking.measured import Measured
from smirk_core.tracking.observations import Observations
from smirk_core.tracking.solve import SolveSettings, solve_clip

FRAMES = 16
Groups = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def head(flame_file) -> HeadModel:
    return load_head(flame_file)


def performance(head: HeadModel, seed: int) -> Groups:
    """A talking, turning head of FLAME's kind: 25 frames a second, coefficients within a sigma and a half."""
    rng, t = np.random.default_rng(seed), np.arange(FRAMES) / 25

    def wave(low: float, high: float, hertz: float) -> np.ndarray:
        return low + (high - low) * (0.5 + 0.5 * np.sin(2 * np.pi * (hertz * t + rng.random())))

    return {
        "identity": np.repeat(rng.normal(size=(1, head.identity_size)), FRAMES, axis=0),
        "expression": np.stack([wave(-1.5, 1.5, rng.uniform(0.2, 1)) for _ in range(head.expression_size)], axis=1),
        "eyelids": np.stack([np.maximum(wave(-1, 1, 0.5), 0)] * 2, axis=1),
        "jaw": np.stack([np.maximum(wave(-0.2, 0.3, 0.9), 0), wave(-0.04, 0.04, 0.3), 0 * t], axis=1),
        "eyes": np.zeros((FRAMES, 4)),
        "rotation": np.stack([wave(-0.2, 0.2, 0.2), wave(-0.5, 0.5, 0.15), wave(-0.1, 0.1, 0.2)], axis=1),
        "camera": np.stack([wave(2900, 3100, 0.1), wave(600, 700, 0.2), wave(300, 400, 0.2)], axis=1),
    }


def observed(head: HeadModel, truth: Groups, noise: float, seed: int = 0) -> Observations:
    """Landmarks with ``noise`` pixels of error."""
    rng = np.random.default_rng(seed)
    points = landmark_points(head, decode(head, truth).vertices, head.landmarks["mediapipe_105"])
    points = project(points, truth["camera"])
    landmarks = np.zeros((FRAMES, 478, 3), np.float32)
    landmarks[:, MEDIAPIPE_105] = points + noise * rng.normal(size=points.shape)
    return Observations(np.arange(FRAMES) / 25, landmarks, np.ones(FRAMES, np.float32), 1280, 720, "synthetic")


def word(truth: Groups, seed: int, settings: SolveSettings = SolveSettings()) -> Measured:  # noqa: B008 - frozen
    """An encoder that errs as the settings say, half of the variance alike in all frames."""
    rng = np.random.default_rng(100 + seed)

    def rough(values: np.ndarray, error: float) -> np.ndarray:
        same, own = rng.normal(size=values.shape[1:]), rng.normal(size=values.shape)
        return values + error * np.sqrt(0.5) * (same + own)

    groups = {
        "expression": rough(truth["expression"], settings.encoder_expression),
        "jaw": rough(truth["jaw"], settings.encoder_jaw),
        "eyelids": rough(truth["eyelids"], settings.encoder_eyelids).clip(0, 1),
        "rotation": rough(truth["rotation"], settings.encoder_rotation),
        "camera": truth["camera"] * (1 + 0.02 * rng.normal(size=(FRAMES, 1))),
    }
    identity = truth["identity"][0] + settings.encoder_identity * rng.normal(size=truth["identity"].shape[1])
    return Measured(identity, groups)


def errors(head: HeadModel, truth: Groups, groups: Groups, identity: np.ndarray) -> dict[str, float]:
    """Millimetres over the face: the expressed mesh, and what expression alone moves; radians of the head's turn."""
    moving = ("expression", "jaw", "eyelids")
    found = {k: groups[k] for k in moving} | {"identity": np.repeat(identity[None], FRAMES, axis=0)}
    known = {k: truth[k] for k in (*moving, "identity")}
    face = head.template[:, 2] > 0.02
    away = (decode(head, found).vertices - decode(head, known).vertices)[:, face]
    still = [decode(head, {"identity": g["identity"][:1]}).vertices[:, face] for g in (found, known)]
    moved = away - (still[0] - still[1])
    return {
        "mesh": 1e3 * float(np.linalg.norm(away, axis=-1).mean()),
        "motion": 1e3 * float(np.linalg.norm(moved, axis=-1).mean()),
        "turn": float(np.abs(groups["rotation"] - truth["rotation"]).mean()),
        "expression": float(np.abs(groups["expression"] - truth["expression"]).mean()),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_two_witnesses_are_better_than_either(head, seed):
    truth = performance(head, seed)
    seen, said = observed(head, truth, noise=2.0, seed=seed), word(truth, seed)
    alone = solve_clip(head, seen)
    both = solve_clip(head, seen, measured=said)
    of_landmarks = errors(head, truth, alone.groups, alone.identity)
    of_encoder = errors(head, truth, said.groups, said.identity)
    of_both = errors(head, truth, both.groups, both.identity)
    for name, error in of_both.items():
        assert error < min(of_landmarks[name], of_encoder[name]), (name, of_landmarks, of_encoder, of_both)
    assert of_both["motion"] < 0.8 * min(of_landmarks["motion"], of_encoder["motion"])


def test_a_sure_encoder_is_believed_and_an_unsure_one_is_not(head):
    truth = performance(head, 3)
    seen, said = observed(head, truth, noise=1.0), word(truth, 3)
    sure = SolveSettings(
        encoder_expression=1e-3, encoder_jaw=1e-4, encoder_eyelids=1e-3, encoder_identity=1e-3, smoothing=0
    )  # fmt: skip
    found = solve_clip(head, seen, sure, measured=said)
    np.testing.assert_allclose(found.groups["expression"], said.groups["expression"], atol=0.01)
    np.testing.assert_allclose(found.groups["jaw"][:, 1:], said.groups["jaw"][:, 1:], atol=0.005)
    np.testing.assert_allclose(found.identity, said.identity, atol=0.02)
    wrong = replace(said, groups={**said.groups, "expression": -said.groups["expression"]})
    deaf = SolveSettings(encoder_expression=1e3, encoder_jaw=1e3, encoder_eyelids=1e3, encoder_rotation=1e3)
    first, second = (solve_clip(head, seen, deaf, measured=m) for m in (said, wrong))
    gap = np.abs(first.groups["expression"] - second.groups["expression"]).mean()
    assert gap < 0.2 * np.abs(said.groups["expression"]).mean()


def test_identity_beyond_what_landmarks_show_comes_from_the_encoder(head):
    truth = performance(head, 4)
    said = word(truth, 4)
    solution = solve_clip(head, observed(head, truth, noise=2.0), measured=said)
    assert len(solution.identity) == 300
    hidden = slice(150, 300)  # smooth fields of a fraction of a millimetre in the stand-in
    assert np.corrcoef(solution.identity[hidden], said.identity[hidden])[0, 1] > 0.8


def test_a_known_identity_outweighs_the_encoders(head):
    truth = performance(head, 5)
    settings = SolveSettings(identity=tuple(truth["identity"][0, :20]))
    solution = solve_clip(head, observed(head, truth, noise=1.0), settings, measured=word(truth, 5))
    np.testing.assert_allclose(solution.identity[:20], truth["identity"][0, :20])
    assert not solution.identity[20:].any()


def test_the_start_is_the_encoders_pose_where_that_fits_better(head):
    truth = performance(head, 6)
    seen, said = observed(head, truth, noise=0.5), word(truth, 6)
    exact = Measured(truth["identity"][0], {k: truth[k] for k in said.groups})
    clip = ClipProblem(head, seen, SolveSettings())
    clip.use_identity_size(head.identity_size)
    before = clip.start.copy()
    clip.start_from(exact)
    np.testing.assert_allclose(clip.groups(clip.start)["rotation"], truth["rotation"], atol=1e-5)
    np.testing.assert_allclose(clip.groups(clip.start)["camera"], truth["camera"], rtol=1e-5)
    assert not np.allclose(before, clip.start)
    far = replace(exact, groups={**exact.groups, "rotation": exact.groups["rotation"] + 1.0})
    clip.start = before.copy()
    clip.start_from(far)
    np.testing.assert_array_equal(clip.start, before)


def test_frames_of_the_encoder_must_be_those_of_the_landmarks(head):
    truth = performance(head, 7)
    said = word(truth, 7)
    short = replace(said, groups={k: v[:-1] for k, v in said.groups.items()})
    with pytest.raises(ValueError, match="15 frames of the encoder for 16"):
        solve_clip(head, observed(head, truth, noise=1.0), measured=short)


def test_frames_without_a_face_are_bridged(head):
    truth = performance(head, 8)
    seen = observed(head, truth, noise=1.0)
    visibility = seen.visibility.copy()
    visibility[6:9] = 0
    seen = replace(seen, visibility=visibility)
    said = word(truth, 8)
    kept = visibility > 0
    said = replace(said, groups={k: v[kept] for k, v in said.groups.items()})
    solution = solve_clip(head, seen, measured=said)
    assert solution.groups["expression"].shape == (FRAMES, 50)
    assert solution.groups["visibility"][:, 0].tolist() == visibility.tolist()


def test_on_a_head_with_weights_the_learned_model_and_the_encoder_are_weighed(toy_head):
    """Heads with ARKit's names have a second prior; both are heard by their certainty."""
    rng = np.random.default_rng(0)
    groups = {
        "rotation": np.zeros((2, 3)), "camera": np.ones((2, 3)), "jaw": np.full((2, 3), 0.1),
        "eyelids": np.full((2, 2), 0.5), "expression": rng.random((2, toy_head.expression_size)),
    }  # fmt: skip
    landmarks = np.asarray(rng.normal(size=(2, 478, 3)) * 50 + 300, np.float32)
    seen = Observations(np.array([0, 0.04]), landmarks, np.ones(2, np.float32), 640, 480, "x")
    clip = ClipProblem(toy_head, seen, SolveSettings())
    mean, spread = clip.default_prior()
    block = clip.layout["expression"]
    mean[:, block], spread[:, block] = 0.2, 0.15  # as certain as the encoder is by default: 0.5 * 0.3
    both, certainty = clip.with_measured(Measured(np.zeros(6), groups), mean, spread, learned=True)
    np.testing.assert_allclose(both[:, block], (0.2 + groups["expression"]) / 2)
    np.testing.assert_allclose(certainty[:, block], 0.15 / np.sqrt(2))
    only, certainty = clip.with_measured(Measured(np.zeros(6), groups), mean, spread, learned=False)
    np.testing.assert_allclose(only[:, block], groups["expression"])
    np.testing.assert_allclose(certainty[:, block], 0.15)
