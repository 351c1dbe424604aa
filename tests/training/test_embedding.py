# SPDX-License-Identifier: Apache-2.0
"""Where landmarks sit: the search finds known places, and the shipped embedding is sane."""

import numpy as np
import pytest

from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.library import load_head
from training.data.mediapipe_points import (
    BROWS,
    IBUG_68,
    IRISES,
    LIPS,
    OVAL,
    TASK_FILE,
    canonical_mesh,
    mirror_permutation,
)
from training.data.symmetry import vertex_partners
from training.landmarks.eyeballs import IRIS_RADIUS, iris_places
from training.landmarks.surface import Views, find_places

INNER_UPPER = [191, 80, 81, 82, 13, 312, 311, 310, 415]
INNER_LOWER = [88, 178, 87, 14, 317, 402, 318]


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def embedding(head):
    return head.landmarks["mediapipe_478"]


def _points(head, **weights):
    row = np.zeros((1, 52))
    for name, value in weights.items():
        row[0, ARKIT_INDEX[name]] = value
    vertices = decode(head, groups_from_arkit(head, row)).vertices
    return landmark_points(head, vertices, head.landmarks["mediapipe_478"])[0]


@pytest.mark.skipif(not TASK_FILE.exists(), reason="no landmarker file here")
def test_canonical_mesh_is_a_symmetric_face():
    mesh = canonical_mesh()
    assert mesh.shape == (468, 3)
    partner = mirror_permutation()
    np.testing.assert_array_equal(partner[partner], np.arange(478))
    np.testing.assert_allclose(mesh[partner[:468]] * [-1, 1, 1], mesh, atol=1e-6)
    assert mesh[33, 0] < 0 < mesh[263, 0]  # 33 is the outer corner of the subject's right eye


@pytest.mark.skipif(not TASK_FILE.exists(), reason="no landmarker file here")
def test_embedding_is_symmetric(head):
    points = _points(head)
    assert np.linalg.norm(points[mirror_permutation()] * [-1, 1, 1] - points, axis=1).max() < 5e-4


def test_barycentric_weights_are_inside(embedding):
    assert (embedding.barycentric > -1e-3).all()
    np.testing.assert_allclose(embedding.barycentric.sum(1), 1, atol=1e-5)
    assert embedding.weight.min() > 0 and abs(embedding.weight.mean() - 1) < 1e-3


def test_oval_is_trusted_least_and_irises_much(embedding):
    assert embedding.weight[OVAL].mean() < 0.8 * embedding.weight[LIPS].mean()
    assert embedding.weight[IRISES].mean() > 1


def test_lips_part_and_lids_close(head):
    rest, spoken = _points(head), _points(head, jawOpen=1.0)
    gap = rest[INNER_UPPER, 1].mean() - rest[INNER_LOWER, 1].mean()
    opened = spoken[INNER_UPPER, 1].mean() - spoken[INNER_LOWER, 1].mean()
    assert opened > gap + 0.012
    lids = [159, 145]  # right eye, upper and lower
    shut = _points(head, eyeBlinkRight=1.0)
    assert shut[lids[0], 1] - shut[lids[1], 1] < 0.35 * (rest[lids[0], 1] - rest[lids[1], 1])


def test_brows_lie_above_the_eyes(head):
    points = _points(head)
    height = points[BROWS, 1] - points[[33, 133, 362, 263], 1].mean()
    assert 0.008 < height.mean() < 0.025


def test_irises_turn_with_the_eyes(head):
    rest, left = _points(head), _points(head, eyeLookOutLeft=0.8, eyeLookInRight=0.8)
    assert (left[[468, 473], 0] - rest[[468, 473], 0] > 0.003).all()
    rim = np.linalg.norm(rest[469:473] - rest[468], axis=1)
    np.testing.assert_allclose(rim, IRIS_RADIUS, rtol=0.25)
    assert len(iris_places(head).triangles) == 10


def test_subsets_are_the_same_places(head, embedding):
    np.testing.assert_array_equal(head.landmarks["ibug_68"].triangles, embedding.triangles[IBUG_68])
    assert len(head.landmarks["mediapipe_105"]) == 105


def test_search_finds_known_places(head, embedding):
    rng = np.random.default_rng(0)
    some = np.array([4, 61, 0, 17, 13, 14, 159, 145, 105, 152, 205, 10])
    n = 60
    weights = np.zeros((n, 52))
    weights[:, ARKIT_INDEX["jawOpen"]] = rng.random(n)
    weights[:, ARKIT_INDEX["eyeBlinkLeft"]] = weights[:, ARKIT_INDEX["eyeBlinkRight"]] = rng.random(n)
    groups = groups_from_arkit(head, weights) | {
        "rotation": rng.normal(0, 0.3, (n, 3)),
        "identity": rng.normal(0, 0.7, (n, 20)),
    }
    camera = np.tile(np.float32([900, 128, 128]), (n, 1))
    vertices = decode(head, groups).vertices
    true = project(landmark_points(head, vertices, embedding), camera)[:, some, :2]
    # Half a millimetre of noise, and one detection in ten somewhere else.
    seen = true + rng.normal(0, 0.45, true.shape)
    seen[rng.random((n, len(some))) < 0.1] += 40
    views = Views(project(vertices, camera)[..., :2], seen.astype(np.float32), camera[:, 0])
    near = np.zeros(len(head.triangles), bool)
    near[embedding.triangles] = True
    ring = np.isin(head.triangles, np.unique(head.triangles[near])).any(1)
    places = find_places(views, head.triangles, ring)
    corners = head.template[head.triangles]
    found = (corners[places.triangles] * places.barycentric[..., None]).sum(1)
    wanted = (corners[embedding.triangles[some]] * embedding.barycentric[some][..., None]).sum(1)
    assert np.linalg.norm(found - wanted, axis=1).max() < 6e-4
    assert np.median(places.spread) == pytest.approx(0.5e-3, rel=0.4)


def test_mirrored_views_mirror(head):
    partner = vertex_partners(head)
    skin = np.flatnonzero(head.regions["skin"])
    np.testing.assert_array_equal(partner[partner][skin], skin)  # teeth have several vertices at one place
    mesh = head.template[None, :, :2] * [500, -500] + 100
    views = Views(mesh, mesh[:, :4], np.array([500.0]))
    back = views.mirrored(partner, np.arange(4)).mirrored(partner, np.arange(4))
    np.testing.assert_allclose(back.mesh, mesh, atol=1e-9)
