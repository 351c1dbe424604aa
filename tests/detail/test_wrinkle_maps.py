# SPDX-License-Identifier: Apache-2.0
"""Where the groups lie, when they fold, how they are packed and written."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smirk_core.detail.activation import activations, age_gain, folding, law_matrix
from smirk_core.detail.atlas import Atlas, pack, png_bytes
from smirk_core.detail.baking import bake_take, normal_map, write_activations
from smirk_core.detail.groups import GROUP_NAMES, GROUPS, group_index
from smirk_core.detail.heights import WrinkleMaps, wrinkle_maps
from smirk_core.errors import AssetError, ExportError, TakeError
from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.library import load_head
from smirk_core.rendering.relief import Relief
from smirk_core.rendering.shading import Look, render_head
from smirk_core.take import Take, TakeInfo

OPEN = load_head()
SIZE = 512


@pytest.fixture(scope="module")
def maps() -> WrinkleMaps:
    return wrinkle_maps(OPEN, SIZE)


@pytest.fixture(scope="module")
def atlas(maps: WrinkleMaps) -> Atlas:
    return pack(maps)


def curves(**weights: float) -> np.ndarray:
    row = np.zeros((1, len(ARKIT_INDEX)))
    for name, value in weights.items():
        for side in (name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right"):
            row[0, ARKIT_INDEX[side]] = value
    return row


def test_every_group_is_a_fold_of_skin_on_its_side(maps: WrinkleMaps) -> None:
    for group, rows, heights in zip(maps.groups, maps.texels, maps.heights, strict=True):
        assert len(rows) > 20, group.name
        assert -1.3e-3 < heights.min() < -5e-5 and 2e-5 < heights.max() < 1.3e-3, group.name
        x = maps.surface.position[rows, 0]
        share = (np.abs(heights) * (x > 0)).sum() / np.abs(heights).sum()
        wanted = {"left": (0.9, 1.0), "right": (0.0, 0.1)}.get(group.name.rsplit("_")[-1], (0.3, 0.7))
        assert wanted[0] <= share <= wanted[1], (group.name, share)


def test_groups_lie_where_people_have_them(maps: WrinkleMaps) -> None:
    points = maps.surface.landmarks

    def place(name: str) -> np.ndarray:
        index = group_index(name)
        weight = np.abs(maps.heights[index])
        return (weight[:, None] * maps.surface.position[maps.texels[index]]).sum(axis=0) / weight.sum()

    assert place("forehead")[1] > points[9, 1] and place("frown_left")[1] > points[168, 1]
    assert place("crows_feet_left")[0] > points[263, 0] and place("crows_feet_right")[0] < points[33, 0]
    assert points[280, 1] < place("under_eye_left")[1] < points[374, 1]
    assert points[291, 0] < place("nasolabial_left")[0] < points[280, 0]
    assert place("upper_lip")[1] > points[0, 1] and place("lower_lip")[1] < points[17, 1]
    assert points[152, 1] < place("chin")[1] < place("chin_crease")[1] < points[17, 1]


def test_the_same_head_and_seed_give_the_same_maps(maps: WrinkleMaps) -> None:
    from smirk_core.detail import heights

    heights._cache.clear()
    again = wrinkle_maps(OPEN, SIZE)
    assert again is not maps
    assert all(np.array_equal(a, b) for a, b in zip(maps.heights, again.heights, strict=True))


def test_lines_survive_another_layout(maps: WrinkleMaps) -> None:
    """In a layout turned by a quarter the same folds lie on the same skin."""
    turned = np.stack([OPEN.uvs[:, 1], 1 - OPEN.uvs[:, 0]], axis=1)
    other = wrinkle_maps(replace(OPEN, uvs=turned), SIZE)
    for a, b, name in zip(maps.heights, other.heights, GROUP_NAMES, strict=True):
        assert np.sqrt((b**2).sum()) == pytest.approx(np.sqrt((a**2).sum()), rel=0.06), name


def test_heads_without_layout_or_landmarks_say_so() -> None:
    with pytest.raises(AssetError, match="no UVs"):
        wrinkle_maps(replace(OPEN, uvs=np.zeros((0, 2), np.float32)), SIZE)
    with pytest.raises(AssetError, match="dense landmarks"):
        wrinkle_maps(replace(OPEN, landmarks={}), SIZE)


# Activation


def test_each_group_follows_its_muscle() -> None:
    expected = {
        "browInnerUp": "forehead", "browDownLeft": "frown_left", "noseSneerRight": "bunny_right",
        "cheekSquintLeft": "crows_feet_left", "mouthPucker": "upper_lip", "mouthShrugLower": "chin",
        "mouthFrownRight": "marionette_right", "mouthSmileLeft": "nasolabial_left", "mouthDimpleLeft": "dimple_left",
    }  # fmt: skip
    for curve, group in expected.items():
        act = folding(curves(**{curve: 1.0}))[0]
        assert act.argmax() == group_index(group), (curve, GROUP_NAMES[act.argmax()])
    assert not folding(curves()).any()


def test_sides_mirror() -> None:
    left = [n.replace("Left", "#").replace("Right", "Left").replace("#", "Right") for n in ARKIT_INDEX]
    swap = [ARKIT_INDEX[n] for n in left]
    rows = [group_index(n.replace("_left", "#").replace("_right", "_left").replace("#", "_right")) for n in GROUP_NAMES]
    matrix = law_matrix()
    assert np.allclose(matrix, matrix[rows][:, swap])


def test_children_are_smooth_and_the_old_keep_lines() -> None:
    smile = curves(mouthSmile=1.0)
    by_age = [activations(smile, age)[0] for age in (0.0, 0.5, 1.0)]
    assert (by_age[0] <= by_age[1]).all() and (by_age[1] <= by_age[2]).all() and age_gain(0) < 0.3
    assert not activations(curves(), 0.0).any()
    assert activations(curves(), 1.0)[0, group_index("nasolabial_left")] > 0.5
    assert not activations(smile, 1.0, strength=0.0).any()
    shares = np.ones(len(GROUPS))
    shares[group_index("nasolabial_left")] = 0.0
    assert activations(smile, 1.0, shares=shares)[0, group_index("nasolabial_left")] == 0


# Packing


def test_the_packed_picture_is_the_sum_of_the_groups(maps: WrinkleMaps, atlas: Atlas) -> None:
    weights = np.random.default_rng(0).uniform(-1, 2, len(GROUPS))
    direct = maps.surface.as_map(maps.height(weights))
    assert np.abs(atlas.height(weights) - direct).max() < 3e-6
    assert len(png_bytes(atlas.heights)) + len(png_bytes(atlas.owners)) < 300_000


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_png_holds_what_was_given(shape: tuple[int, ...], kind: type) -> None:
    values = np.random.default_rng(1).integers(0, np.iinfo(kind).max, shape).astype(kind)
    if len(shape) == 3 and kind is np.uint16:
        cv2 = pytest.importorskip("cv2")
        read = cv2.imdecode(np.frombuffer(png_bytes(values), np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    else:
        read = np.array(Image.open(io.BytesIO(png_bytes(values))))
    assert np.array_equal(read, values)
    with pytest.raises(ValueError, match="no PNG"):
        png_bytes(values.astype(np.uint32))


# Pictures and files


def test_a_ridge_is_bright_towards_the_lamp_and_dark_behind(maps: WrinkleMaps) -> None:
    weights = np.zeros(len(GROUPS))
    weights[group_index("forehead")] = 1.0
    relief = Relief(maps.surface.as_map(maps.height(weights)), maps.surface.window.bounds)
    camera = np.array([900.0, 99.5, 150.0])
    look = replace(Look.clay(), key_direction=(0.0, 0.9, 0.5))
    plain = render_head(OPEN, {}, camera, 200, 200, look, supersample=1)[0].astype(float)
    folded = render_head(OPEN, {}, camera, 200, 200, look, supersample=1, relief=relief)[0].astype(float)
    change = (folded - plain).mean(axis=2)
    assert change.max() > 4 and change.min() < -8
    rows = np.flatnonzero(np.abs(change).max(axis=1) > 2)
    forehead = 150 - 900 * maps.surface.landmarks[[10, 9], 1]
    assert rows.min() > forehead[0] - 12 and rows.max() < forehead[1] + 6


def test_normals_of_a_known_slope() -> None:
    surface = wrinkle_maps(OPEN, SIZE).surface
    x = surface.as_map(surface.position[:, 0])
    normal = normal_map(OPEN, surface, 0.2 * x)  # rises to the subject's left by 0.2
    forehead = surface.as_map((surface.position[:, 1] > surface.landmarks[9, 1]).astype(np.float32)) > 0
    front = forehead & (np.abs(x) < 0.01) & (surface.as_map(surface.normal)[..., 2] > 0.9)
    tilt = np.linalg.norm(normal[front][:, :2], axis=1) / normal[front][:, 2]
    assert np.median(tilt) == pytest.approx(0.2, abs=0.02)
    assert np.allclose(np.linalg.norm(normal[front], axis=1), 1, atol=1e-5)


def smiling(frames: int = 3) -> Take:
    weights = np.zeros((frames, OPEN.expression_size))
    weights[:, OPEN.expression_names.index("mouthSmileLeft")] = np.linspace(0, 1, frames)
    info = TakeInfo(head=OPEN.name, head_digest=OPEN.digest)
    raw = {"expression": weights, "eyelids": np.zeros((frames, 2)), "jaw": np.zeros((frames, 3))}
    return Take(info, np.arange(frames) / 25, np.zeros(OPEN.identity_size), raw, raw)


def test_curves_and_maps_of_a_take(tmp_path: Path) -> None:
    take, index = smiling(), group_index("nasolabial_left")
    lines = write_activations(OPEN, take, tmp_path / "a.csv").read_text().splitlines()
    assert lines[0].split(",")[1:] == list(GROUP_NAMES) and len(lines) == 4
    table = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    assert (np.diff(table[:, 1 + index]) > 0.1).all() and table[1, 0] == pytest.approx(0.04)
    with np.load(write_activations(OPEN, take, tmp_path / "a.npz")) as file:
        assert np.allclose(file["activations"], table[:, 1:], atol=1e-5)
        assert json.loads(str(file["header"]))["groups"] == list(GROUP_NAMES)
    files = bake_take(OPEN, take, tmp_path / "maps", [2], size=SIZE)
    assert [f.name for f in files] == ["frame_00002_height.png", "frame_00002_normal.png"]
    height = np.array(Image.open(files[0])).astype(float)
    assert height.shape == (SIZE, SIZE) and height.min() < 32768 - 2000 and height[0, 0] == 32768
    normal = np.array(Image.open(files[1]))
    assert tuple(normal[0, 0]) == (128, 128, 255)
    with pytest.raises(TakeError, match="no frame 3"):
        bake_take(OPEN, take, tmp_path, [3], size=SIZE)
    with pytest.raises(ExportError, match="csv or"):
        write_activations(OPEN, take, tmp_path / "a.txt")
