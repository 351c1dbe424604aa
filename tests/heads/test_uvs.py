# SPDX-License-Identifier: Apache-2.0
"""The texture layout: bounds, symmetry, no folds, no overlaps, little stretch; and the solver behind it."""

from __future__ import annotations

import numpy as np
import pytest

from smirk_core.errors import AssetError
from smirk_core.heads.build_uvs import BOXES, UVS_PATH, face_charts
from smirk_core.heads.open_head import load_open_head
from smirk_core.heads.unwrap import border_loops, convex_start, flatten, reference_frames, stretch
from smirk_core.rendering.raster import rasterize

HEAD = load_open_head()
SKIN = HEAD.regions["skin"][HEAD.triangles].all(axis=1)
CARDS = np.isin(HEAD.polygon_materials, [HEAD.material_names.index(n) for n in ("lash", "brow")])
SIZE = 1024


def on_cards():
    return CARDS[HEAD.triangle_polygons]


def signed_areas(triangles):
    a, b, c = (HEAD.uvs[triangles[:, k]].astype(np.float64) for k in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def test_everything_lies_in_the_square_with_a_margin_for_small_maps():
    places = HEAD.uvs[HEAD.triangle_uvs[~on_cards()]]
    assert places.min() >= 3 / SIZE and places.max() <= 1 - 3 / SIZE


def test_the_skin_is_what_the_committed_layout_says():
    with np.load(UVS_PATH, allow_pickle=False) as file:
        polygons, places, uvs = file["polygons"], file["polygon_uvs"], file["uvs"]
    assert np.array_equal(HEAD.polygons[: len(polygons)], polygons)
    assert np.array_equal(HEAD.uvs[HEAD.polygon_uvs[: len(polygons)]], uvs[places])


def test_the_skin_is_exactly_symmetric():
    # Every texture point has a partner at 1 - u that belongs to the mirrored vertex.
    vertex = np.zeros(len(HEAD.uvs), int)
    vertex[HEAD.triangle_uvs[SKIN]] = HEAD.triangles[SKIN]
    used = np.unique(HEAD.triangle_uvs[SKIN])
    outer = used[HEAD.uvs[used, 1] > 0.115]  # the head's island; those below have theirs side by side
    places = np.round(HEAD.uvs[outer] * 1e6).astype(int)
    order = {tuple(p): v for p, v in zip(places.tolist(), vertex[outer].tolist(), strict=True)}
    mirrored = places * [-1, 1] + [1_000_000, 0]
    near = [(dx, dy) for dx in (0, -1, 1) for dy in (0, -1, 1)]
    partners = [next((order[(x + i, y + j)] for i, j in near if (x + i, y + j) in order), -1) for x, y in mirrored]
    assert min(partners) >= 0
    away = HEAD.template[partners] * [-1, 1, 1] - HEAD.template[vertex[outer]]
    assert np.abs(away).max() < 1e-4


def test_no_polygon_of_the_skin_is_turned_over_or_has_no_area():
    assert signed_areas(HEAD.triangle_uvs[SKIN]).min() > 1e-9


def test_nothing_overlaps():
    """Whichever of two triangles is drawn on top, the same picture comes out, but for texels on their edges."""
    triangles = HEAD.triangle_uvs[~on_cards()]
    depth = np.repeat(np.arange(len(triangles), dtype=float), 3)
    corners = np.arange(3 * len(triangles)).reshape(-1, 3)
    top = []
    for sign in (1.0, -1.0):
        raised = np.concatenate([HEAD.uvs[triangles.ravel()] * SIZE, (sign * depth)[:, None]], axis=1)
        top.append(rasterize(raised, corners, SIZE, SIZE, cull=False))
    assert 0.6 < top[0].covered.mean() < 0.95
    assert (top[0].covered & (top[0].triangle != top[1].triangle)).mean() < 1e-4


def test_the_face_is_upright_in_the_middle_and_large():
    face = HEAD.triangle_region("face")
    areas = np.abs(signed_areas(HEAD.triangle_uvs))
    assert areas[face].sum() > 0.25  # of the square; the skin of the face is a sixth of the head's
    eyes = [HEAD.uvs[HEAD.triangle_uvs[HEAD.triangle_region("eyes")]].reshape(-1, 2).mean(axis=0)][0]
    lips = HEAD.uvs[HEAD.triangle_uvs[HEAD.triangle_region("lips") & SKIN]].reshape(-1, 2)
    lips = lips[lips[:, 1] > 0.2].mean(axis=0)
    assert abs(eyes[0] - 0.5) < 1e-3 and abs(lips[0] - 0.5) < 1e-3
    assert eyes[1] - lips[1] > 0.1


def singular_values(mask):
    rest = HEAD.template.astype(np.float64)
    frames = reference_frames(rest, HEAD.triangles[mask])
    return stretch(HEAD.uvs.astype(np.float64), HEAD.triangle_uvs[mask], frames), np.linalg.det(frames) / 2


def test_the_face_is_hardly_stretched():
    front = HEAD.triangle_region("face") & ~HEAD.triangle_region("lips") & ~HEAD.triangle_region("eyes")
    values, area = singular_values(front)
    ratio = np.sort(values[:, 0] / values[:, 1])
    weight = np.cumsum(area[np.argsort(values[:, 0] / values[:, 1])]) / area.sum()
    median, most = np.interp([0.5, 0.95], weight, ratio)
    assert median < 1.3 and most < 2.0
    scale = np.sqrt(values.prod(axis=1))
    spread = np.interp([0.05, 0.95], np.cumsum(area[np.argsort(scale)]) / area.sum(), np.sort(scale))
    assert spread[1] / spread[0] < 1.6


def test_parts_keep_to_their_boxes():
    for name, region in (("left_eye", "left_eyeball"), ("right_eye", "right_eyeball"), ("tongue", "tongue")):
        rows = HEAD.triangle_region(region)
        if "cornea" in HEAD.material_names:
            rows &= HEAD.polygon_materials[HEAD.triangle_polygons] != HEAD.material_names.index("cornea")
        places, box = HEAD.uvs[HEAD.triangle_uvs[rows]].reshape(-1, 2), BOXES[name]
        assert rows.sum() > 100
        assert (places >= np.array(box[:2]) - 1e-6).all() and (places <= np.array(box[2:]) + 1e-6).all()


def test_layout_boxes_do_not_touch():
    boxes = list(BOXES.values())
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[2] + 2 / SIZE < b[0] or b[2] + 2 / SIZE < a[0] or a[3] + 2 / SIZE < b[1] or b[3] + 2 / SIZE < a[1]


def grid(columns, rows):
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    index = np.arange(columns * rows).reshape(rows, columns)
    a, b, c, d = (x.ravel() for x in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return u.ravel(), v.ravel(), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def start_of(points, triangles):
    (loop,) = border_loops(triangles)
    turn = 2 * np.pi * np.arange(len(loop)) / len(loop)
    return convex_start(len(points), triangles, loop, np.stack([np.cos(turn), np.sin(turn)], axis=1))


def test_half_a_cylinder_flattens_without_any_stretch():
    u, v, triangles = grid(9, 7)
    points = np.stack([np.sin(np.pi * u), 2 * v, np.cos(np.pi * u)], axis=1)
    frames = reference_frames(points, triangles)
    flat = flatten(start_of(points, triangles), triangles, frames, np.ones(len(triangles)), tolerance=1e-12)
    values = stretch(flat, triangles, frames)
    np.testing.assert_allclose(values, 1.0, atol=1e-3)


def test_a_cap_of_a_sphere_is_stretched_evenly_and_never_folded():
    u, v, triangles = grid(11, 11)
    x, y = 1.2 * (u - 0.5), 1.2 * (v - 0.5)
    points = np.stack([x, y, np.sqrt(1 - np.minimum(x * x + y * y, 0.9))], axis=1)
    frames = reference_frames(points, triangles)
    start = start_of(points, triangles)
    flat = flatten(start, triangles, frames, np.ones(len(triangles)))
    before, after = stretch(start, triangles, frames), stretch(flat, triangles, frames)
    assert after.min() > 0.6 and after.max() < 1.6
    assert np.log(after).std() < 0.5 * np.log(before).std()


def test_a_start_with_folds_is_refused():
    u, v, triangles = grid(4, 4)
    points = np.stack([u, v, 0 * u], axis=1)
    folded = points[:, :2].copy()
    folded[5] += 2
    with pytest.raises(AssetError, match="folds"):
        flatten(folded, triangles, reference_frames(points, triangles), np.ones(len(triangles)))


def test_charts_of_a_box_are_its_six_sides_side_by_side():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], float)
    polygons = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    flat, index = face_charts(corners, polygons)
    assert len(flat) == 24
    a, b, c = (flat[index[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    np.testing.assert_allclose(sorted(area), [2, 2, 3, 3, 6, 6])  # none is a mirror image
    low, high = flat[index].min(axis=1), flat[index].max(axis=1)
    for i in range(6):
        for j in range(i):
            assert (low[i] >= high[j]).any() or (low[j] >= high[i]).any()
