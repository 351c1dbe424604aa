# SPDX-License-Identifier: Apache-2.0
"""Light, paint and composition: what must hold for any head and any look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smirk_core.heads.head_model import HeadModel
from smirk_core.rendering.overlay import blend, crop, draw_dots, head_box, label, side_by_side
from smirk_core.rendering.shading import Look, render_head
from smirk_core.rendering.sheets import contact_sheet
from smirk_core.rendering.texture import light_basis, noise_tile, vertex_normals, visible_from

CAMERA = np.array([500.0, 63.5, 53.5])  # 128 px show the egg of the fixture, 0.15 x 0.2 m


def _grey(image: np.ndarray) -> np.ndarray:
    return image.astype(float).mean(axis=2)


def test_the_head_lands_where_the_camera_says(egg_head: HeadModel) -> None:
    _, alpha = render_head(egg_head, {}, CAMERA, 128, 128)
    row, column = np.mgrid[:128, :128]
    # The egg's silhouette: half axes 75 and 100 mm around (0, -0.02) m, v down.
    ellipse = ((column - 63.5) / 37.5) ** 2 + ((row - 63.5) / 50) ** 2
    assert (alpha[ellipse < 0.92] == 1).all()
    assert (alpha[ellipse > 1.05] == 0).all()
    assert alpha.sum() == pytest.approx(np.pi * 37.5 * 50, rel=0.02)


def test_supersampling_keeps_the_picture_in_place(egg_head: HeadModel) -> None:
    centres = []
    for supersample in (1, 2, 3):
        _, alpha = render_head(egg_head, {}, CAMERA, 128, 128, supersample=supersample)
        row, column = np.mgrid[:128, :128]
        centres.append([(alpha * row).sum() / alpha.sum(), (alpha * column).sum() / alpha.sum()])
    assert np.ptp(centres, axis=0).max() < 0.02


def test_parameters_and_camera_move_the_picture(egg_head: HeadModel) -> None:
    _, plain = render_head(egg_head, {}, CAMERA, 128, 128)
    _, wide = render_head(egg_head, {"expression": np.array([1.0])}, CAMERA, 128, 128)
    _, shifted = render_head(egg_head, {}, CAMERA + np.array([0, 10, -7]), 128, 128)
    assert wide.sum() == pytest.approx(1.3 * plain.sum(), rel=0.03)
    assert (shifted[:-7, 10:] == plain[7:, :-10]).mean() > 0.999


@pytest.mark.parametrize(
    ("direction", "brighter"), [((1, 0, 0.5), "right"), ((-1, 0, 0.5), "left"), ((0, 1, 0.5), "top")]
)
def test_the_lit_side_is_the_one_towards_the_lamp(
    egg_head: HeadModel, direction: tuple[float, float, float], brighter: str
) -> None:
    look = replace(Look.clay(), key_direction=direction, fill=(0.0, 0.0, 0.0), sky=(0.1,) * 3, ground=(0.1,) * 3)
    grey = _grey(render_head(egg_head, {}, CAMERA, 128, 128, look)[0])
    sides = {"left": grey[63, 35:45].mean(), "right": grey[63, 83:93].mean()}
    sides |= {"top": grey[22:32, 63].mean(), "bottom": grey[96:106, 63].mean()}
    assert max(sides, key=lambda k: sides[k]) == brighter


def test_a_look_is_deterministic_and_random_looks_differ(egg_head: HeadModel) -> None:
    looks = [Look.random(np.random.default_rng(s)) for s in (0, 0, 1)]
    assert looks[0] == looks[1] != looks[2]
    first, again, other = (render_head(egg_head, {}, CAMERA, 128, 128, look)[0] for look in looks)
    assert (first == again).all()
    assert np.abs(first.astype(int) - other).mean() > 1


def test_random_looks_stay_in_range_and_expose_the_face(egg_head: HeadModel) -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        look = Look.random(rng)
        for name in ("skin", "lips", "brow_colour", "hair_colour", "iris", "sclera", "lash_colour"):
            assert all(0 < c <= 1 for c in getattr(look, name)), name
        image, alpha = render_head(egg_head, {}, CAMERA, 128, 128, look, supersample=1)
        face = _grey(image)[alpha > 0]
        assert 8 < np.median(face) < 245


def test_a_head_out_of_the_picture_is_nowhere(egg_head: HeadModel) -> None:
    image, alpha = render_head(egg_head, {}, CAMERA + np.array([0, 5000, 0]), 64, 48)
    assert image.shape == (48, 64, 3)
    assert not alpha.any()


def test_normals_of_a_sphere_point_outwards(ball: tuple[np.ndarray, np.ndarray]) -> None:
    points, triangles = ball
    normals = vertex_normals(points, triangles)
    assert (normals * points).sum(axis=1).min() > 0.99


def test_a_light_sees_the_near_half_of_a_sphere_and_not_what_lies_behind_it(
    ball: tuple[np.ndarray, np.ndarray],
) -> None:
    points, triangles = ball
    direction = np.array([0.3, 0.5, 0.8])
    direction /= np.linalg.norm(direction)
    hidden = 0.2 * points - 3 * direction  # a small ball right behind, in the big one's shadow
    both = np.concatenate([points, hidden])
    lit = visible_from(both, np.concatenate([triangles, triangles + len(points)]), direction, bias=6.0)
    towards = points @ direction
    assert lit[: len(points)][towards > 0.35].min() == 1
    assert lit[: len(points)][towards < -0.35].max() == 0
    assert lit[len(points) :].max() == 0


def test_the_basis_of_a_light_is_a_right_handed_frame() -> None:
    for direction in ([0.2, 0.3, 0.9], [0, 1, 0], [0, -1, 0], [-1, 0, 0]):
        basis = light_basis(np.array(direction, float))
        assert basis @ basis.T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(basis) == pytest.approx(1)
        assert basis[2] == pytest.approx(np.array(direction) / np.linalg.norm(direction))


def test_the_noise_tile_has_no_seam() -> None:
    tile = noise_tile(1)
    assert tile.std(axis=(1, 2)) == pytest.approx(1, abs=1e-3)
    inner = np.abs(np.diff(tile, axis=1)).mean(axis=(1, 2))
    assert np.abs(tile[:, 0] - tile[:, -1]).mean(axis=1) == pytest.approx(inner, rel=0.35)


def test_blending_is_exact_at_both_ends() -> None:
    frame, image = np.full((4, 4, 3), 50, np.uint8), np.full((4, 4, 3), 250, np.uint8)
    alpha = np.zeros((4, 4))
    alpha[0] = 1
    mixed = blend(frame, image, alpha)
    assert (mixed[0] == 250).all()
    assert (mixed[1:] == 50).all()
    assert (blend(frame, image, alpha, 0.5)[0] == 150).all()


def test_a_dot_is_centred_on_its_point() -> None:
    image = draw_dots(
        np.zeros((40, 50, 3), np.uint8), np.array([[20.3, 11.6], [-99, 3], [np.nan, 4]]), (255, 255, 255), 3
    )
    weight = image[..., 0].astype(float)
    row, column = np.mgrid[:40, :50]
    assert (weight * column).sum() / weight.sum() == pytest.approx(20.3, abs=0.1)
    assert (weight * row).sum() / weight.sum() == pytest.approx(11.6, abs=0.1)
    assert weight.sum() / 255 == pytest.approx(np.pi * 9, rel=0.1)


def test_a_crop_at_full_size_is_the_picture_itself() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    # The box (left, top, side) in pixel-centre coordinates starts half a pixel before its first pixel.
    assert (crop(frame, (9.5, 4.5, 30.0), 30) == frame[5:35, 10:40]).all()
    outside = crop(frame, (-10.5, -10.5, 30.0), 30, background=7)
    assert (outside[:10] == 7).all()
    assert (outside[10:, 10:] == frame[:20, :20]).all()
    assert (crop(frame, (500.0, 0.0, 30.0), 30, background=7) == 7).all()


def test_the_box_holds_its_points_with_a_margin() -> None:
    left, top, side = head_box(np.array([[10.0, 20.0, 0.0], [30.0, 60.0, 5.0]]), margin=0.25)
    assert (left, top, side) == pytest.approx((-10, 10, 60))


def test_sheets_and_rows_place_every_picture() -> None:
    pictures = [np.full((20, 30, 3), 40 * k, np.uint8) for k in range(1, 6)]
    sheet = contact_sheet(pictures, 3, gap=2)
    assert sheet.shape == (42, 94, 3)
    assert [int(sheet[10 + 22 * (k // 3), 15 + 32 * (k % 3), 0]) for k in range(5)] == [40, 80, 120, 160, 200]
    row = side_by_side(pictures[:2], gap=4)
    assert row.shape == (20, 64, 3)
    assert row[5, 40, 0] == 80
    with pytest.raises(ValueError, match="one size"):
        contact_sheet([pictures[0], pictures[0][:5]], 2)
    with pytest.raises(ValueError, match="one height"):
        side_by_side([pictures[0], pictures[0][:5]])


def test_a_label_is_written_in_its_corner_only() -> None:
    image = np.full((60, 120, 3), 90, np.uint8)
    named = label(image, "photo", 14)
    assert named[:20, :40].max() > 200
    assert (named[30:] == 90).all()
    assert (image == 90).all()
    assert label(np.zeros((4, 4, 3), np.uint8), "longer than the picture").shape == (4, 4, 3)
