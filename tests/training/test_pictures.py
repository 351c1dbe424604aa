# SPDX-License-Identifier: Apache-2.0
"""Pictures with known truth: renders, re-posed portraits, and the fit of one picture."""

import numpy as np
import pytest

from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups, groups_from_arkit
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.library import load_head
from training.data.fit import Fit, PictureFitter
from training.data.portraits import Portrait, _pull_along, repose
from training.data.renders import Sitter, develop, head_turn, photograph
from training.data.symmetry import vertex_partners


@pytest.fixture(scope="module")
def head():
    return load_head()


def _still(monkeypatch):
    """No film effects, no lamp: pictures can be compared."""
    monkeypatch.setattr("training.data.portraits.develop", lambda picture, rng: picture)
    monkeypatch.setattr("training.data.portraits._relight", lambda p, n, rng: np.ones(len(n)))


def test_photographs_repeat_with_their_seed(head):
    shots = []
    for _ in range(2):
        rng = np.random.default_rng(4)
        shots.append(photograph(head, Sitter.random(head, rng), np.zeros(52), head_turn(rng, 30, 10, 4), rng, 96))
    np.testing.assert_array_equal(shots[0].picture, shots[1].picture)
    assert shots[0].picture.shape == (96, 96, 3) and shots[0].picture.std() > 5
    assert abs(np.median(shots[0].mesh[:, 0]) - 48) < 30


def test_a_portrait_worn_as_it_was_is_the_photo(head, monkeypatch):
    _still(monkeypatch)
    rng = np.random.default_rng(3)
    weights = np.zeros(52)
    weights[ARKIT_INDEX["mouthSmileLeft"]] = 0.5
    monkeypatch.setattr("training.data.renders.develop", lambda picture, rng: picture)
    shot = photograph(head, Sitter.random(head, rng), weights, np.array([0.05, 0.1, 0.0]), rng, 224, perspective=False)
    portrait = Portrait.prepare(head, shot.picture, Fit(shot.groups, 0.0), vertex_partners(head))
    again = repose(head, portrait, weights, np.zeros(3), np.random.default_rng(0), 224)
    # Compare cheeks, forehead, nose: where the new picture's vertices are, against the photo at its own.
    place = head.regions["cheeks"] | head.regions["forehead"] | head.regions["nose"]
    facing = portrait.normals[:, 2] > 0.6
    rows = np.flatnonzero(place & facing)

    def at(picture, mesh):
        u, v = np.rint(mesh[rows, :2]).astype(int).T
        inside = (u >= 0) & (v >= 0) & (u < 224) & (v < 224)
        return np.where(inside[:, None], picture[np.clip(v, 0, 223), np.clip(u, 0, 223)].astype(float), np.nan)

    difference = np.abs(at(again.picture, again.mesh) - at(shot.picture, shot.mesh))
    assert np.nanmedian(difference) < 6


def test_a_portrait_opens_its_mouth(head, monkeypatch):
    _still(monkeypatch)
    rng = np.random.default_rng(3)
    shot = photograph(head, Sitter.random(head, rng), np.zeros(52), np.zeros(3), rng, 160, perspective=False)
    portrait = Portrait.prepare(head, shot.picture, Fit(shot.groups, 0.0), vertex_partners(head))
    weights = np.zeros(52)
    weights[ARKIT_INDEX["jawOpen"]] = 0.9
    opened = repose(head, portrait, weights, np.zeros(3), np.random.default_rng(0), 160)
    shut = repose(head, portrait, np.zeros(52), np.zeros(3), np.random.default_rng(0), 160)
    lips = landmark_points(head, opened.mesh[None], head.landmarks["mediapipe_478"])[0, [13, 14]]
    u, v = np.rint(lips.mean(0)[:2]).astype(int)
    assert opened.picture[v, u].astype(float).mean() < 0.8 * shut.picture[v, u].astype(float).mean()


def test_displacement_is_kept_where_known_and_spread_elsewhere():
    known = np.zeros((64, 64), bool)
    known[24:40, 24:40] = True
    displacement = np.zeros((64, 64, 2), np.float32)
    displacement[known] = [3.0, -2.0]
    filled = _pull_along(known, displacement, 64)
    np.testing.assert_allclose(filled, np.broadcast_to([3.0, -2.0], filled.shape), atol=0.05)


def test_develop_keeps_the_shape():
    picture = np.full((48, 48, 3), 120, np.uint8)
    for seed in range(8):
        out = develop(picture, np.random.default_rng(seed))
        assert out.shape == picture.shape and out.dtype == np.uint8


def test_fit_recovers_what_made_the_points(head):
    rng = np.random.default_rng(0)
    embedding = head.landmarks["mediapipe_478"]
    weights = np.zeros(52)
    for name, value in {"jawOpen": 0.6, "mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "eyeBlinkLeft": 0.9}.items():
        weights[ARKIT_INDEX[name]] = value
    groups = groups_from_arkit(head, weights[None])
    groups |= {"identity": rng.normal(0, 0.5, (1, 20)), "rotation": np.array([[0.05, 0.2, 0.0]])}
    camera = np.array([[1000.0, 128.0, 140.0]])
    points = project(landmark_points(head, decode(head, groups).vertices, embedding), camera)[0]
    fit = PictureFitter(head, embedding, error=4e-4)(points)
    found = arkit_from_groups(head, fit.groups)[0]
    assert fit.error < 6e-4
    assert found[ARKIT_INDEX["jawOpen"]] == pytest.approx(0.6, abs=0.2)
    assert found[ARKIT_INDEX["eyeBlinkLeft"]] > 0.6 > 0.2 > found[ARKIT_INDEX["eyeBlinkRight"]]
    assert abs(fit.groups["rotation"][0, 1] - 0.2) < 0.06


def test_fit_holds_what_it_is_told_to_hold(head):
    embedding = head.landmarks["mediapipe_478"]
    row = np.zeros((1, 52))
    row[0, ARKIT_INDEX["browDownLeft"]] = row[0, ARKIT_INDEX["browDownRight"]] = 1.0
    vertices = decode(head, groups_from_arkit(head, row)).vertices
    points = project(landmark_points(head, vertices, embedding), np.array([[1000.0, 128.0, 140.0]]))[0]
    held = PictureFitter(head, embedding, held=("browDownLeft", "browDownRight"), error=4e-4)(points)
    free = PictureFitter(head, embedding, error=4e-4)(points)
    name = head.expression_names.index("browDownLeft")
    assert held.groups["expression"][0, name] < 0.01 < 0.2 < free.groups["expression"][0, name]
