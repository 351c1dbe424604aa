# SPDX-License-Identifier: Apache-2.0
"""Pigments, looks and painted maps."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from smirk_core.errors import AssetError
from smirk_core.heads.open_head import load_open_head
from smirk_core.skin import PRESETS, Makeup, SkinLook, mean_colour, random_look, skin_maps
from smirk_core.skin.areas import AREAS, face_places, skin_areas
from smirk_core.skin.noise import fractal, value_noise
from smirk_core.skin.pigments import BLOOD, FITZPATRICK, MELANIN, encode, skin_colour, typology_angle
from smirk_core.skin.surface import fill_outside, skin_texels
from smirk_core.skin.variants import load_bank, main, write_bank

HEAD = load_open_head()
SIZE = 256
BARE = SkinLook(redness=0, blotches=0, moles=0, veins=0, sockets=0, pores=0, scalp=0)


def mean_over(picture, area, low=0.6):
    skin = skin_texels(HEAD, SIZE)
    rows = skin.texels[(skin.areas[area] > low) & ~skin.inside]
    return (picture.reshape(SIZE * SIZE, -1)[rows].astype(float) / 255).mean(axis=0)


def test_types_of_skin_have_the_typology_angles_that_are_published():
    """Chardon 1991, Del Bino and Bernerd 2013: very light > 55 > light > 41 > intermediate > 28 > tan > 10 > brown."""
    angles = typology_angle(skin_colour(np.array(FITZPATRICK), 0.02))
    bounds = [(50, 70), (41, 55), (28, 41), (10, 28), (-30, 10), (-70, -30)]
    for angle, (low, high) in zip(angles, bounds, strict=True):
        assert low < angle < high


def test_worked_number_of_the_colour():
    assert skin_colour(0.020, 0.020) == pytest.approx([0.498, 0.327, 0.242], abs=0.002)


def test_more_pigment_is_darker_and_blood_is_red():
    m, b = np.meshgrid(np.geomspace(*MELANIN, 20), np.geomspace(0.01, BLOOD[1], 15), indexing="ij")
    colour = skin_colour(m, b)
    assert (np.diff(colour, axis=0) <= 1e-6).all() and (np.diff(colour[..., 1], axis=1) <= 1e-4).all()
    redness = colour[..., 0] / colour[..., 1]
    assert (np.diff(redness[:10], axis=1)[:, :6] > 0).all()
    assert colour.min() > 0.01 and colour.max() < 0.7


def test_srgb_of_linear_light():
    assert encode(np.array([0.0, 0.0031308, 0.21404, 1.0, 2.0])) == pytest.approx([0, 0.04045, 0.5, 1, 1], abs=1e-4)


def test_noise_is_even_smooth_and_the_same_everywhere_it_is_asked():
    places = np.random.default_rng(0).uniform(-20, 20, (20000, 3))
    noise = value_noise(places, np.random.default_rng(5))
    assert abs(noise.mean()) < 0.15 and 0.7 < noise.std() < 1.3
    near = value_noise(places + 1e-3, np.random.default_rng(5))
    assert np.abs(near - noise).max() < 0.05
    again = fractal(places[::-1], np.random.default_rng(2), 3)[::-1]
    np.testing.assert_array_equal(again, fractal(places, np.random.default_rng(2), 3))


def test_areas_are_where_anatomy_has_them():
    areas = skin_areas(HEAD)
    assert tuple(areas) == AREAS
    place, unit = face_places(HEAD)
    assert 0.055 < unit < 0.07
    assert place.shape == HEAD.template.shape
    for values in areas.values():
        assert values.shape == (len(HEAD.template),) and values.min() >= 0 and 0.5 < values.max() <= 1
    nose, lips = HEAD.regions["nose"], HEAD.regions["lips"]
    skin = HEAD.regions["skin"] & ~HEAD.regions["sockets"] & ~HEAD.regions["mouth_interior"]
    assert areas["lips"][lips].mean() > 0.8 and areas["lips"][nose].mean() < 0.05
    assert areas["beard"][HEAD.regions["forehead"]].max() < 0.01 and areas["beard"][nose].mean() < 0.1
    assert areas["tzone"][nose].mean() > 2 * areas["tzone"][skin].mean()
    assert areas["flush"][HEAD.regions["cheeks"]].mean() > areas["flush"][HEAD.regions["forehead"]].mean()


def test_maps_are_the_same_for_a_seed_and_others_for_another():
    look = replace(PRESETS["Freckled"], makeup=Makeup(lipstick_strength=0.5))
    a, b, c = (skin_maps(HEAD, look, SIZE, seed) for seed in (1, 1, 2))
    for name in ("albedo", "roughness", "specular", "height", "normal", "subsurface"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.albedo.shape == a.normal.shape == (SIZE, SIZE, 3) and a.roughness.shape == a.height.shape == (SIZE, SIZE)
    assert (a.albedo != c.albedo).mean() > 0.2
    assert np.abs(a.height).max() < 0.5e-3


def test_plain_skin_has_the_colour_of_its_pigments():
    maps = skin_maps(HEAD, BARE, SIZE)
    tone, lips = mean_colour(BARE)
    forehead = mean_over(maps.albedo, "tzone", 0.8)
    assert forehead == pytest.approx(encode(tone), abs=0.035)
    assert mean_over(maps.albedo, "lips", 0.97) == pytest.approx(encode(lips), abs=0.04)
    assert lips[0] / lips[1] > 1.15 * tone[0] / tone[1]


@pytest.mark.parametrize(
    ("change", "area", "sign"),
    [
        ({"redness": 1.0}, "flush", "redder"),
        ({"sockets": 1.0}, "socket", "darker"),
        ({"freckles": 1.0}, "sun", "darker"),
        ({"stubble": 1.0}, "beard", "darker"),
        ({"scalp": 1.0}, "scalp", "darker"),
        ({"makeup": Makeup(lipstick_strength=1.0)}, "lips", "redder"),
    ],
)
def test_every_number_does_what_it_says_where_it_says(change, area, sign):
    before, after = (mean_over(skin_maps(HEAD, look, SIZE).albedo, area) for look in (BARE, replace(BARE, **change)))
    if sign == "redder":
        assert after[0] / after[1] > 1.06 * before[0] / before[1]
    else:
        assert after.mean() < before.mean() - 0.012


def test_oil_and_lips_shine_and_pores_are_dents():
    dry, oily = (skin_maps(HEAD, replace(BARE, oiliness=v), SIZE) for v in (0.0, 1.0))
    assert mean_over(oily.roughness, "tzone") < mean_over(dry.roughness, "tzone") - 0.1
    assert mean_over(dry.roughness, "lips", 0.95) < mean_over(dry.roughness, "sun") - 0.05
    smooth, deep = (skin_maps(HEAD, replace(BARE, pores=v), 512) for v in (0.0, 1.0))
    skin = skin_texels(HEAD, 512)
    rows = skin.texels[skin.areas["tzone"] > 0.6]
    low, high = (np.quantile(m.height.ravel()[rows], 0.02) for m in (deep, smooth))
    assert low < high - 2e-6


def test_normals_are_unit_and_lean_away_from_heights():
    normal = skin_maps(HEAD, PRESETS["Aged"], SIZE).normal.astype(float) / 127.5 - 1
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=0.02)
    assert normal[..., 2].min() > 0.2 and np.abs(normal[..., :2].mean(axis=(0, 1))).max() < 0.02


def test_age_makes_skin_uneven():
    young, old = (skin_maps(HEAD, replace(BARE, blotches=0.5, age=a), SIZE).albedo.astype(float) for a in (20.0, 80.0))
    skin = skin_texels(HEAD, SIZE)
    rows = skin.texels[(skin.areas["tzone"] > 0.3) & (skin.areas["lips"] < 0.01)]
    assert old.reshape(-1, 3)[rows].std(axis=0).mean() > 1.1 * young.reshape(-1, 3)[rows].std(axis=0).mean()


def test_outside_is_a_continuation():
    image = np.zeros((8, 8, 1), np.float32)
    image[2:4, 2:4] = 5
    known = np.zeros((8, 8), bool)
    known[2:4, 2:4] = True
    np.testing.assert_allclose(fill_outside(image, known), 5)
    assert not fill_outside(image, np.zeros((8, 8), bool)).all()


def test_bad_input_is_named():
    with pytest.raises(AssetError, match="redness"):
        SkinLook(redness=1.5)
    with pytest.raises(AssetError, match="melanin"):
        SkinLook(melanin=float("nan"))
    with pytest.raises(AssetError, match="8192"):
        skin_maps(HEAD, BARE, 20)
    with pytest.raises(AssetError, match="no UVs"):
        skin_maps(replace(HEAD, uvs=np.zeros((0, 2), np.float32)), BARE, SIZE)


def test_random_people_cover_the_range():
    looks = [random_look(np.random.default_rng(k)) for k in range(200)]
    angles = typology_angle(skin_colour(np.array([x.melanin for x in looks]), np.array([x.blood for x in looks])))
    counts, _ = np.histogram(angles, [-90, -30, 10, 28, 41, 55, 90])
    assert counts.min() >= 5  # every group of tones
    assert min(x.age for x in looks) < 25 and max(x.age for x in looks) > 70
    assert random_look(np.random.default_rng(3), age=40).age == 40


def test_a_bank_is_written_once_and_read_back(tmp_path, capsys):
    assert main(["-o", str(tmp_path), "--count", "2", "--size", "64"]) == 0
    assert "2 skins" in capsys.readouterr().out
    bank = load_bank(tmp_path)
    assert bank.shape == (2, 64, 64, 3) and bank.dtype == np.uint8
    before = (tmp_path / "skin_0000_64.png").stat().st_mtime_ns
    write_bank(tmp_path, 3, 64, HEAD)
    assert (tmp_path / "skin_0000_64.png").stat().st_mtime_ns == before
    listed = json.loads((tmp_path / "skins.json").read_text())
    assert listed["licence"] == "CC0-1.0" and len(listed["skins"]) == 3
    np.testing.assert_array_equal(load_bank(tmp_path)[:2], bank)
    assert not list(tmp_path.glob(".smirk-*"))
    (tmp_path / "skin_0001_64.png").write_bytes(b"no picture")
    with pytest.raises(AssetError, match="whole bank"):
        load_bank(tmp_path)
    with pytest.raises(AssetError, match="whole bank"):
        load_bank(tmp_path / "nowhere")
