# SPDX-License-Identifier: Apache-2.0
"""Regions that an encoder does not see: what is read there counts less, and all else as before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smirk_core.encoder.extras import REGIONS, region_masks
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.library import load_head
from smirk_core.tracking.clip_problem import ClipProblem, SolveSettings
from smirk_core.tracking.hidden_regions import trust_of_landmarks, trust_of_motion, trust_of_regions
from smirk_core.tracking.measured import Measured
from smirk_core.tracking.observations import Observations
from smirk_core.tracking.solve import solve_clip

OPEN = np.ones((1, len(REGIONS)))
MOUTH = REGIONS.index("mouth")


def hidden(*names: str) -> np.ndarray:
    return np.array([[0.02 if n in names else 0.99 for n in REGIONS]])


@pytest.fixture(scope="module")
def head():
    return load_head("open")


def test_an_open_face_is_trusted_whole(head):
    trust = trust_of_regions(np.array([[0.96, 0.99, 1.0, 0.97, 0.95, 0.98]]))
    np.testing.assert_array_equal(trust, OPEN)
    assert all((np.abs(v - 1) < 1e-9).all() for v in trust_of_motion(head, trust).values())
    assert (trust_of_landmarks(head, head.landmarks["mediapipe_478"], trust) == 1).all()


def test_trust_falls_with_what_is_seen():
    shares = np.linspace(0, 1, 21)[:, None] * np.ones(len(REGIONS))
    trust = trust_of_regions(shares)
    assert (np.diff(trust, axis=0) >= 0).all() and 0 < trust.min() < 0.05 and trust.max() == 1


@pytest.mark.parametrize(
    ("region", "gone", "kept"),
    [
        ("mouth", "mouthSmileLeft mouthPucker mouthFrownRight", "browDownLeft browInnerUp eyeSquintLeft"),
        ("brows", "browDownLeft browInnerUp browOuterUpRight", "mouthSmileLeft mouthPucker jawForward"),
        ("left eye", "eyeSquintLeft eyeWideLeft", "eyeSquintRight eyeWideRight mouthSmileLeft"),
    ],
)
def test_a_curve_belongs_to_where_it_moves_the_face(head, region, gone, kept):
    share = trust_of_motion(head, trust_of_regions(hidden(region)))
    value = dict(zip(head.expression_names, share["expression"][0], strict=True))
    assert all(value[n] < 0.35 for n in gone.split()), value
    assert all(value[n] > 0.9 for n in kept.split()), value


def test_lids_and_gaze_go_with_their_eye(head):
    share = trust_of_motion(head, trust_of_regions(hidden("left eye")))
    assert share["eyelids"][0, 0] < 0.2 < 0.9 < share["eyelids"][0, 1]
    assert (share["eyes"][0, :2] < 0.1).all() and (share["eyes"][0, 2:] == 1).all()


def test_landmarks_of_a_region_lose_its_trust(head):
    embedding = head.landmarks["mediapipe_478"]
    trust = trust_of_landmarks(head, embedding, trust_of_regions(hidden("mouth")))[0]
    at = region_masks(head)[:, head.triangles[embedding.triangles, 0]]
    assert (trust[at[MOUTH]] < 0.1).all() and (trust[at[REGIONS.index("brows")]] == 1).all()


def test_the_solve_does_not_believe_landmarks_of_a_hidden_mouth(head):
    """A mouth that the detector drew wide open where the encoder sees a hand and nothing."""
    groups = {n: np.zeros((1, s)) for n, s in (("identity", head.identity_size), ("expression", head.expression_size),
              ("jaw", 3), ("eyes", 4), ("eyelids", 2), ("rotation", 3))}  # fmt: skip
    posed = groups | {"jaw": np.array([[0.8 * head.angles["jawOpen"], 0, 0]])}
    marks = landmark_points(head, decode(head, posed).vertices, head.landmarks["mediapipe_478"])
    camera = np.array([[1800.0, 256, 256]])
    pixels = np.concatenate([project(marks, camera)[..., :2], -1800 * marks[..., 2:]], -1)
    seen = Observations(np.zeros(1), pixels.astype(np.float32), np.ones(1, np.float32), 512, 512, "facemesh")
    quiet = {n: groups[n] for n in ("jaw", "eyes", "eyelids", "expression", "rotation")} | {"camera": camera}
    spread = {n: np.full_like(quiet[n], 0.15) for n in ("jaw", "eyes", "eyelids", "expression")}
    measured = Measured(np.zeros(head.identity_size), quiet, spread, OPEN)
    said = {}
    for name, visibility in (("open", OPEN), ("hidden", hidden("mouth", "jaw"))):
        said[name] = solve_clip(head, seen, measured=replace(measured, visibility=visibility)).groups["jaw"][0, 0]
    assert said["hidden"] < 0.35 * said["open"] and said["open"] > 0.1


def test_witnesses_who_contradict_each_other_meet_in_the_middle(head):
    """A confident zero from the landmarks must not silence an encoder that sees a sneer, nor the other way round."""
    groups = {n: np.zeros((1, s)) for n, s in (("identity", head.identity_size), ("expression", head.expression_size),
              ("jaw", 3), ("eyes", 4), ("eyelids", 2), ("rotation", 3))}  # fmt: skip
    marks = landmark_points(head, decode(head, groups).vertices, head.landmarks["mediapipe_478"])
    camera = np.array([[1800.0, 256, 256]])
    pixels = np.concatenate([project(marks, camera)[..., :2], -1800 * marks[..., 2:]], -1)
    seen = Observations(np.zeros(1), pixels.astype(np.float32), np.ones(1, np.float32), 512, 512, "facemesh")
    quiet = {n: groups[n].copy() for n in ("jaw", "eyes", "eyelids", "expression", "rotation")} | {"camera": camera}
    sneer = head.expression_names.index("noseSneerLeft")
    spread = {n: np.full_like(quiet[n], 0.2) for n in ("jaw", "eyes", "eyelids", "expression")}
    measured = Measured(np.zeros(head.identity_size), quiet, spread, OPEN)
    said: dict[float, list[float]] = {}
    for doubt in (0.0, 0.01):
        clip = ClipProblem(head, seen, SolveSettings(disagreement=doubt))
        block = clip.layout["expression"]
        before, width = clip.default_prior()
        width[:, block] = 0.03  # the landmarks are sure of nothing going on
        said[doubt] = []
        for value in (0.02, 0.8):
            quiet["expression"][0, sneer] = value
            mean, after = clip.with_measured(measured, before, width, learned=True)
            said[doubt].append(mean[0, block][sneer] / value)
            together = 1 / (1 / 0.03**2 + clip.settings.encoder_confidence / 0.2**2)
            assert after[0, block][sneer] == pytest.approx(np.sqrt(together), rel=1e-6)  # as sure as before
    assert said[0.0][0] == pytest.approx(said[0.0][1])  # shares by their word alone
    assert said[0.01][0] == pytest.approx(said[0.0][0], rel=0.05)  # where they agree nothing changes
    assert said[0.01][1] > 1.5 * said[0.0][1] and said[0.01][1] < 0.55
