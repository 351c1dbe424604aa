# SPDX-License-Identifier: Apache-2.0
"""Eyes of the open head: their measures, the cornea, lids that stay on them, and what follows from the lids."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.eyelids import find_lids, measure
from smirk_core.heads.build_eyeballs import EYE_RADIUS, EYE_SEGMENTS, IRIS_RADIUS, corneal_reach, eyeball
from smirk_core.heads.build_eyes import clearance, keep_lids, lid_arc
from smirk_core.heads.decode import decode, lid_features, pose_rotations
from smirk_core.heads.library import load_head
from smirk_core.rendering.texture import head_paint

HEAD = load_head("open")
MM = 1e-3


def part(side: int, *materials: str) -> np.ndarray:
    """Vertices of one eye (0 left, 1 right) in polygons of these materials."""
    wanted = [HEAD.material_names.index(m) for m in materials]
    corners = HEAD.polygons[np.isin(HEAD.polygon_materials, wanted)]
    vertices = np.unique(corners[corners >= 0])
    return vertices[HEAD.skinning_weights[vertices, 3 + side] == 1]


def centre(side: int) -> np.ndarray:
    return HEAD.joint_regressor[3 + side] @ HEAD.template


@pytest.mark.parametrize("side", [0, 1])
def test_eyes_have_the_measures_of_people(side):
    middle = centre(side)
    white = part(side, "eye_white")
    white = np.setdiff1d(white, part(side, "iris"))
    assert np.abs(np.linalg.norm(HEAD.template[white] - middle, axis=1) - EYE_RADIUS).max() < 2e-6
    assert 12 * MM <= EYE_RADIUS <= 12.5 * MM
    iris = HEAD.template[part(side, "iris")] - middle
    across = np.hypot(iris[:, 0], iris[:, 1])
    assert 2 * across.max() == pytest.approx(11.7 * MM, abs=0.02 * MM)
    rim = iris[across > 0.99 * across.max()]
    assert len(rim) >= EYE_SEGMENTS  # round
    assert np.ptp(rim[:, 2]) < 0.5 * MM
    inner, outer = iris[across < 2.1 * MM], iris[(across > 4 * MM) & (across < 5.3 * MM)]
    assert 0.05 * MM < outer[:, 2].mean() - inner[:, 2].mean() < 0.4 * MM  # slightly hollow
    shell = HEAD.template[part(side, "cornea")] - middle
    limbus = np.sqrt(EYE_RADIUS**2 - IRIS_RADIUS**2)
    assert 2.2 * MM < shell[:, 2].max() - limbus < 2.6 * MM
    pupil = HEAD.template[part(side, "pupil")] - middle
    assert shell[:, 2].max() - pupil[:, 2].max() > 2.5 * MM  # a chamber of about 3 mm


def test_eyes_are_balls_about_their_joints_for_every_identity():
    identity = np.random.default_rng(4).normal(0, 1, (32, HEAD.identity_size))
    shaped = HEAD.template + np.tensordot(identity, HEAD.identity_basis, 1)
    for side in (0, 1):
        white = np.setdiff1d(part(side, "eye_white"), part(side, "iris"))
        middle = np.einsum("v,nvd->nd", HEAD.joint_regressor[3 + side], shaped)
        radius = np.linalg.norm(shaped[:, white] - middle[:, None], axis=2)
        assert np.ptp(radius, axis=1).max() < 0.02 * MM
        assert np.abs(radius.mean(axis=1) - EYE_RADIUS).max() < 0.6 * MM


def test_the_shell_lies_in_front_of_iris_and_pupil_and_dives_under_the_white():
    ball = eyeball()
    shell = np.unique(ball.polygons[ball.materials == "cornea"])
    shell = shell[shell >= 0]
    points = ball.points[shell]
    angle = np.arccos(points[:, 2] / np.linalg.norm(points, axis=1))
    assert np.linalg.norm(points[angle > np.radians(33)], axis=1).max() < 1
    front = points[angle < np.radians(28)]
    reach = np.linalg.norm(front, axis=1)
    np.testing.assert_allclose(reach, corneal_reach(np.arccos(front[:, 2] / reach)), atol=1e-9)
    iris = ball.polygons[np.isin(ball.materials, ["iris", "pupil"])]
    assert np.linalg.norm(ball.points[np.unique(iris[iris >= 0])], axis=1).max() <= 1 + 1e-9
    # Seen from the front, everything but the walls around iris and pupil faces the viewer.
    a, b, c = (ball.points[ball.polygons[ball.materials == "cornea"][:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_painters_look_through_what_is_clear():
    paint = head_paint(HEAD)
    clear = np.flatnonzero(HEAD.clear_triangles)
    names = {HEAD.material_names[m] for m in HEAD.polygon_materials[HEAD.triangle_polygons[clear]]}
    assert names == {"cornea", "tear"}
    assert not np.isin(clear, paint.solid).any()
    for side in (0, 1):
        under, shell = part(side, "iris", "pupil"), part(side, "cornea")
        assert np.isin(paint.film[under], shell).all()
        ways = [HEAD.template[i] - centre(side) for i in (under, paint.film[under])]
        cosine = (ways[0] * ways[1]).sum(1) / np.linalg.norm(ways[0], axis=1) / np.linalg.norm(ways[1], axis=1)
        assert cosine.min() > np.cos(np.radians(7))
    skin = np.flatnonzero(HEAD.regions["skin"])
    assert np.array_equal(paint.film[skin], skin)


# ------------------------------------------------------------------ lids


def test_lids_stay_on_the_eyes_of_random_people():
    """The full table, 200 people in 20 states, is ``python -m benchmarks.eyelids``."""
    identity = np.random.default_rng(7).normal(size=(24, HEAD.identity_size)).astype(np.float32)
    states = ((0, 0, 0), (0, -0.42, 0), (0, 0.45, 0), (0, 0, 0.55), (0.25, 0, 0), (0.5, 0, 0), (1, 0, 0), (1, 0.45, 0))
    fit = measure(HEAD, identity, states)
    vertices = fit.vertices * len(identity)
    assert fit.through.sum() < 0.001 * vertices * len(states)
    assert fit.deepest.max() < 0.3 * MM
    assert fit.gap_mean[0] < 0.2 * MM and fit.gap_99[0] < 0.6 * MM
    assert fit.gap_mean.max() < 0.4 * MM


def test_the_check_sees_lids_in_the_eye_and_off_the_eye():
    ring = find_lids(HEAD)[0].rings[0]
    way = HEAD.template[ring] - centre(0)
    people = np.zeros((1, HEAD.identity_size), np.float32)
    for factor, through in ((0.98, True), (1.08, False)):
        template = HEAD.template.copy()
        template[ring] = centre(0) + way * factor
        fit = measure(replace(HEAD, template=template), people, ((0, 0, 0),))
        assert (fit.through[0] >= 20) == through
        assert (fit.gap_most[0] > 0.6 * MM) != through


def test_looking_down_does_not_close_lids_twice():
    def lowest(**groups):
        shape = decode(HEAD, {k: np.array([v], np.float32) for k, v in groups.items()}).vertices[0]
        ring = find_lids(HEAD)[0].rings[1]
        upper = ring[HEAD.template[ring, 1] > centre(0)[1] + 2 * MM]
        return shape[upper, 1].min()

    closed = lowest(eyelids=[1, 1])
    both = lowest(eyelids=[1, 1], eyes=[0.45, 0, 0.45, 0])
    assert abs(both - closed) < 1.5 * MM  # the lower lid goes down a little, and the upper one with it


def test_lid_features_are_what_they_say():
    lids = np.array([[0.5, 1.0], [0.25, 0.0], [1.4, -0.2]])
    eyes = np.array([[0.3, 0.1, -0.2, 0.0]] * 3)
    turns = pose_rotations({"eyes": eyes}, np.zeros(1), 3)
    feature = (turns[:, 1:] - np.eye(3)).reshape(3, -1)
    found = lid_features(lids, feature)
    down = turns[:, 3:, 2, 1]
    assert np.allclose(found[:, [0, 2]], [[0.25, 0], [0.1875, 0], [0, 0]])
    assert np.allclose(found[:, [1, 3]], np.clip(lids, 0, 1) * down)
    assert not lid_features(None, feature).any()


def test_an_arc_keeps_a_blinking_point_as_high_as_its_ends():
    angles = np.linspace(0.2, 0.9, 12)
    ring = np.arange(12)
    rings = np.stack([ring, ring + 12])
    up = np.stack([0 * angles, np.sin(angles), np.cos(angles)], axis=1) * 0.014
    skin = np.concatenate([up, up * 1.1])
    turned = skin * [1, -1, 1]
    arc = lid_arc(skin, turned - skin, rings, 0, np.zeros(3), 0.0123)
    half = skin + 0.5 * (turned - skin) + 0.25 * arc
    ends = (clearance(skin, 0.0123) + clearance(turned, 0.0123)) / 2
    np.testing.assert_allclose(clearance(half, 0.0123), ends, atol=0.08 * MM)
    still = keep_lids(skin, np.zeros_like(skin), rings, 0, np.zeros(3), 0.0123)
    assert np.abs(still).max() < 1e-12


def test_wet_line_and_caruncle_go_with_the_lids():
    tears = np.flatnonzero(HEAD.regions["tears"])
    assert len(tears) > 100 and (HEAD.skinning_weights[tears, 1] == 1).all()
    for side in (0, 1):
        own = tears[HEAD.template[tears, 0] * (1 - 2 * side) > 0]
        far = np.linalg.norm(HEAD.template[own] - centre(side), axis=1) - EYE_RADIUS
        assert far.min() > -1.0 * MM and far.max() < 1.6 * MM
    squint = HEAD.expression_basis[HEAD.expression_names.index("eyeSquintLeft"), tears]
    assert np.linalg.norm(squint, axis=1).max() > 0.5 * MM
