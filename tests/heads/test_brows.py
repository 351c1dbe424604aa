# SPDX-License-Identifier: Apache-2.0
"""Brows and lashes of the open head: where people have them, and on the skin for everyone and in every expression."""

from __future__ import annotations

import numpy as np
import pytest

from smirk_core.heads.build_assembly import _bind_frontal
from smirk_core.heads.build_brows import BROW_CELLS, brow_cards, card_uvs
from smirk_core.heads.build_lashes import LASH_CELLS, LOWER, UPPER, lash_cards
from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.library import load_head

HEAD = load_head("open")
BROW = np.flatnonzero(HEAD.regions["brow_strips"])
LEFT = BROW[: len(BROW) // 2]
# MediaPipe's points on the upper and lower edge of the left brow, from the nose outwards.
UPPER_EDGE, LOWER_EDGE = [336, 296, 334, 293, 300], [285, 295, 282, 283, 276]


def people(count: int) -> np.ndarray:
    return np.clip(np.random.default_rng(4).normal(0, 0.9, (count, HEAD.identity_size)), -2.2, 2.2)


def test_brows_lie_where_the_detector_looks_for_them() -> None:
    """The head's landmarks were measured on portraits; the detector sees brows a little above their darkest line."""
    points = landmark_points(HEAD, HEAD.template[None], HEAD.landmarks["mediapipe_478"])[0]
    middle = (points[UPPER_EDGE] + points[LOWER_EDGE])[:, :2] / 2
    centres = HEAD.template[LEFT].reshape(-1, 6, 3).mean(axis=1)[:, :2]
    below = np.array([y - centres[np.abs(centres[:, 0] - x) < 3e-3, 1].mean() for x, y in middle[:4]])
    assert np.abs(below).max() < 3e-3 and abs(below.mean()) < 2.2e-3
    assert np.ptp(below) < 2.5e-3  # so the arch is the same
    # The peak lies above the outer half, the tail no higher than the head.
    along = brow_cards().along
    height = np.array([centres[np.abs(along - t) < 0.08, 1].mean() for t in (0.05, 0.6, 0.97)])
    assert height[1] > height[0] + 1e-3 and height[0] > height[2]


def test_brows_stay_on_the_skin() -> None:
    """Over 12 people, calm and with random expressions, no card leaves the place of the skin that it grew on."""
    polygons = HEAD.polygons[HEAD.regions["skin"][HEAD.polygons].all(axis=1) & (HEAD.polygons[:, 3] >= 0)]
    rest = HEAD.template.astype(np.float64)
    corners, weights = _bind_frontal(rest[LEFT, :2], rest, polygons)
    random = np.random.default_rng(5)
    few = random.random((12, HEAD.expression_size)) < 0.3
    groups = {"identity": people(12), "expression": random.uniform(0, 1, few.shape) * few}
    for moved in (decode(HEAD, {"identity": groups["identity"]}).vertices, decode(HEAD, groups).vertices):
        moved = np.asarray(moved, dtype=np.float64)
        places = (moved[:, corners] * weights[..., None]).sum(axis=2)
        away = np.linalg.norm(moved[:, LEFT] - places, axis=-1)
        assert away.max() < 1.6e-3 and np.median(away) < 0.8e-3
        a, b, c = (moved[:, corners[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        over = ((moved[:, LEFT] - places) * normal).sum(axis=-1)
        assert over.min() > -0.6e-3 and (over < 0).mean() < 0.02  # hardly any hair sinks in


@pytest.mark.parametrize("closed", [0.0, 0.5, 1.0])
def test_lashes_grow_from_the_lids_in_every_blink(closed: float) -> None:
    identity = people(8)
    vertices = decode(HEAD, {"identity": identity, "eyelids": np.full((8, 2), closed)}).vertices
    lashes = np.flatnonzero(HEAD.regions["lashes"]).reshape(2, -1, 8)
    lids = np.flatnonzero(HEAD.regions["eyes"])
    for shape in np.asarray(vertices, dtype=np.float64):
        roots = shape[lashes[..., :2]].mean(axis=2).reshape(-1, 3)
        away = np.linalg.norm(roots[:, None] - shape[lids][None], axis=-1).min(axis=1)
        assert away.max() < 2.2e-3 and np.median(away) < 1.0e-3
        tips = shape[lashes[..., -1]]
        for side, joint in ((0, 3), (1, 4)):  # no lash pricks the eyeball
            centre = HEAD.joint_regressor[joint] @ shape
            assert np.linalg.norm(tips[side] - centre, axis=-1).min() > 13.0e-3


def test_both_sides_mirror_each_other() -> None:
    for region in ("brow_strips", "lashes"):
        points = HEAD.template[HEAD.regions[region]]
        left, right = np.split(points, 2)
        assert np.abs(left * [-1, 1, 1] - right).max() < 2e-5


def test_every_tuft_has_a_cell_of_its_own() -> None:
    for cards, cells, rows in ((brow_cards(), BROW_CELLS, 3), (lash_cards(21, 7, 28), LASH_CELLS, 4)):
        corners = cards.uvs.reshape(-1, 2 * rows, 2)
        cell = np.floor(corners * cells).astype(int)
        assert (cell == cell[:, :1]).all()
        assert len(np.unique(cell[:, 0], axis=0)) == len(corners)
    assert len(lash_cards(21, 7, 28).upper) == UPPER + LOWER
    with pytest.raises(ValueError, match="do not fit"):
        card_uvs(9, 3, (4, 2))


def test_the_heads_cards_carry_these_uvs() -> None:
    material = HEAD.material_names.index("brow")
    faces = HEAD.polygon_uvs[HEAD.polygon_materials == material]
    found = HEAD.uvs[np.unique(faces[faces >= 0])]
    distance = np.abs(brow_cards().uvs[:, None] - found[None]).max(axis=-1)
    assert distance.min(axis=1).max() < 1e-4 and distance.min(axis=0).max() < 1e-4
