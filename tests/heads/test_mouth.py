# SPDX-License-Identifier: Apache-2.0
"""Teeth, gums and tongue of the open head: sizes, and that lips, teeth and tongue stay out of each other."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.head_mouth import LIPS_SHUT, STATES, TONGUE, Mouth, both, random_identities
from smirk_core.heads.build_mouth import MouthPart
from smirk_core.heads.build_teeth import teeth_row
from smirk_core.heads.build_tongue import tongue, tongue_out
from smirk_core.heads.open_head import load_open_head

HEAD = load_open_head()
MOUTH = Mouth(HEAD)
PEOPLE = random_identities(HEAD, 12, seed=4)
MM = 1e-3


@pytest.fixture(scope="module", params=["upper", "lower", "tongue"])
def part(request) -> MouthPart:
    return tongue() if request.param == "tongue" else teeth_row(request.param)


def test_parts_are_quads_that_mirror_each_other(part):
    assert part.polygons.min() == 0 and part.polygons.max() == len(part.points) - 1
    assert np.abs(part.points[part.mirror] * [-1, 1, 1] - part.points).max() < 1e-12
    edges = np.concatenate([part.polygons[:, [k, (k + 1) % 4]] for k in range(4)])
    _, directed = np.unique(edges, axis=0, return_counts=True)
    assert directed.max() == 1  # neighbours are wound alike
    mirrored = {frozenset(quad) for quad in part.mirror[part.polygons].tolist()}
    assert mirrored == {frozenset(quad) for quad in part.polygons.tolist()}


def test_crowns_have_the_sizes_of_teeth():
    assert len(MOUTH.crowns) == 28
    size = np.array([np.ptp(HEAD.template[crown], axis=0) for crown in MOUTH.crowns]) / MM
    for k in (6, 7):  # the upper middle incisors
        assert 8.0 < size[k, 0] < 9.0
        visible = HEAD.template[MOUTH.crowns[k], 1]
        assert 9.5 < np.ptp(visible) / MM < 14.0  # the crown and the part of the root that the gum hides
    upper = np.concatenate(MOUTH.crowns[:14])
    assert 50 < np.ptp(HEAD.template[upper, 0]) / MM < 62
    # Overjet: lower edges stand behind the upper ones.
    front = [HEAD.template[np.concatenate(MOUTH.crowns[k : k + 2]), 2].max() for k in (6, 20)]
    assert 1.5 < (front[0] - front[1]) / MM < 4.0
    codes = [HEAD.material_names.index(n) for n in ("teeth", "gums", "tongue")]
    assert np.isin(HEAD.polygon_materials, codes).sum() < 4500


def test_upper_teeth_stay_with_the_skull_and_lower_teeth_and_tongue_go_with_the_jaw():
    jaw = HEAD.skinning_weights[:, HEAD.joint_names.index("jaw")]
    for k, crown in enumerate(MOUTH.crowns):
        assert np.all(jaw[crown] == (k >= 14))
    assert np.all(jaw[HEAD.regions["tongue"]] == 1)


def test_teeth_keep_their_shape_for_everyone():
    """An identity moves and scales a row of teeth, and bends it no further than rounding."""
    shaped = MOUTH.pose({}, PEOPLE)
    for row in (MOUTH.crowns[:14], MOUTH.crowns[14:]):
        own = np.concatenate(row)
        rest = HEAD.template[own] - HEAD.template[own].mean(axis=0)
        for vertices in shaped[:, own]:
            now = vertices - vertices.mean(axis=0)
            scale = (now * rest).sum() / (rest**2).sum()
            assert 0.8 < scale < 1.2
            assert np.abs(now - scale * rest).max() < 0.15 * MM


def test_closed_lips_hide_teeth_tongue_and_cavity():
    for name, weights in LIPS_SHUT.items():
        heads = MOUTH.pose(weights, PEOPLE[:6])
        assert [MOUTH.inside_pixels(v, (0,)) for v in heads] == [0] * len(heads), name


def test_teeth_are_hidden_at_rest_and_shown_in_laughs_and_wide_mouths():
    teeth = MOUTH.material("teeth")
    for vertices in MOUTH.pose({}, PEOPLE[:6]):
        picture = MOUTH.view(vertices)
        assert teeth[picture[picture >= 0]].sum() == 0
    for vertices in MOUTH.pose(both("mouthSmile", 1.0) | {"jawOpen": 0.45}, PEOPLE[:6]):
        assert 5.5 < MOUTH.incisor(vertices) / MM < 9.5
    for vertices in MOUTH.pose({"jawOpen": 1.0}, PEOPLE[:6]):
        assert 2.0 < MOUTH.incisor(vertices) / MM < 6.0


def test_no_one_looks_through_the_walls_of_an_open_mouth():
    assert [MOUTH.leaks(v) for v in MOUTH.pose({"jawOpen": 1.0}, PEOPLE[:2])] == [0] * 2


@pytest.mark.parametrize("name", [n for n in STATES if n != "roll upper"])
def test_lips_stay_out_of_the_teeth(name):
    for vertices in MOUTH.pose(STATES[name], PEOPLE):
        assert MOUTH.depth_in_teeth(vertices, MOUTH.lip_vertices).max() <= 0


def test_the_tongue_comes_out_between_teeth_and_lips():
    tongue_triangles, teeth, lips = (MOUTH.material(n) for n in ("tongue", "teeth", "lips"))
    rest = MOUTH.pose({"jawOpen": 0.3})[0]
    for vertices in MOUTH.pose(TONGUE, PEOPLE):
        for solid in (teeth, lips):
            # Soft as it is, the tongue may press on what it passes, by less than a millimetre.
            assert MOUTH.overlap(vertices, MOUTH.half(solid, True), tongue_triangles) < 0.8 * MM
            assert MOUTH.overlap(vertices, tongue_triangles, MOUTH.half(solid, False)) < 0.8 * MM
    out = MOUTH.pose(TONGUE)[0]
    tip = HEAD.regions["tongue"]
    assert (out[tip, 2].max() - rest[HEAD.regions["lips"], 2].max()) / MM > 4
    assert tongue_out().shape == tongue().points.shape


def test_measures_notice_what_they_are_for():
    """Teeth pushed forward pierce the lips and are seen; lips pulled apart let light in."""
    neutral = MOUTH.pose({})[0]
    pushed = neutral.copy()
    pushed[np.concatenate(MOUTH.crowns)] += [0, 0, 6 * MM]
    assert MOUTH.depth_in_teeth(pushed, MOUTH.lip_vertices).max() > 0
    opened = MOUTH.pose({"jawOpen": 0.3})[0]
    assert MOUTH.inside_pixels(opened) > 1000
    assert MOUTH.lip_overlap(opened) < MOUTH.lip_overlap(neutral)
