# SPDX-License-Identifier: Apache-2.0
"""Textures from pictures whose every pixel is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smirk_core.errors import TakeError
from smirk_core.heads.decode import decode
from smirk_core.heads.library import load_head
from smirk_core.rendering.photo_texture import project_photo

MODEL = load_head()
CAMERA = np.array([1400.0, 199.5, 240.0])
SIZE = 256


def posed(yaw: float = 0.0) -> np.ndarray:
    return np.asarray(decode(MODEL, {"rotation": np.array([[0.0, yaw, 0.0]])}).vertices[0])


def texel_of(region: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of a region's vertices in the texture, and their template places."""
    uv = np.zeros((len(MODEL.template), 2))
    corner = MODEL.polygons >= 0
    uv[MODEL.polygons[corner]] = MODEL.uvs[MODEL.polygon_uvs[corner]]
    chosen = np.flatnonzero(MODEL.regions[region])
    row, column = (1 - uv[chosen, 1]) * SIZE - 0.5, uv[chosen, 0] * SIZE - 0.5
    return np.rint(row).astype(int), np.rint(column).astype(int), MODEL.template[chosen]


def ramp() -> np.ndarray:
    """A picture whose red is its column and whose green is its row, half as steep."""
    v, u = np.mgrid[:400, :400]
    return np.stack([80 + u / 4, 80 + v / 4, np.full_like(u, 120)], axis=2).astype(np.uint8)


def test_every_texel_is_where_its_point_is_in_the_picture():
    texture = project_photo(MODEL, posed(), CAMERA, ramp(), size=SIZE, mirror=False)
    row, column, places = texel_of("cheeks")
    seen = texture.coverage[row, column] > 0.99
    assert seen.sum() > 100
    u, v = CAMERA[0] * places[:, 0] + CAMERA[1], CAMERA[2] - CAMERA[0] * places[:, 1]
    found = texture.image[row, column].astype(float)[seen]
    # A texel is up to half its own size away from the vertex; the ramp rises by a quarter a pixel.
    assert np.abs(found[:, 0] - (80 + u[seen] / 4)).max() < 2.5
    assert np.abs(found[:, 1] - (80 + v[seen] / 4)).max() < 2.5


def test_what_is_hidden_comes_from_the_other_half():
    plain = np.full((400, 400, 3), (180, 130, 110), np.uint8)
    turned = posed(0.9)  # the nose towards the subject's left: the left cheek is hidden
    row, column, places = texel_of("cheeks")
    hidden = places[:, 0] > 0.035
    alone = project_photo(MODEL, turned, CAMERA, plain, size=SIZE, mirror=False)
    both = project_photo(MODEL, turned, CAMERA, plain, size=SIZE)
    assert alone.coverage[row, column][hidden].mean() < 0.3
    assert both.coverage[row, column][hidden].mean() > 0.6
    assert np.abs(both.image.astype(float) - [180, 130, 110]).max() < 2  # one colour, filled or seen
    assert both.tone == pytest.approx(np.array([180, 130, 110]) / 255, abs=0.005)


def test_a_hand_of_another_colour_does_not_matter_beside_the_face():
    """Hair and hats at the rim of the face are left out."""
    picture = np.full((400, 400, 3), (200, 150, 130), np.uint8)
    brow = int(CAMERA[2] - CAMERA[0] * (MODEL.template[MODEL.regions["brows"]][:, 1].max() + 0.035))
    picture[:brow] = (30, 20, 90)
    texture = project_photo(MODEL, posed(), CAMERA, picture, size=SIZE)
    blue = (texture.image[..., 2] > texture.image[..., 0]) & (texture.coverage > 0.5)
    assert blue.mean() < 0.005


def test_refusals():
    plain = np.full((400, 400, 3), 150, np.uint8)
    with pytest.raises(TakeError, match="Nothing of the face"):
        project_photo(MODEL, posed(np.pi), CAMERA, plain, size=64)
    with pytest.raises(TakeError, match="Nothing of the face"):
        project_photo(MODEL, posed(), np.array([1400.0, 5000.0, 240.0]), plain, size=64)
    with pytest.raises(TakeError, match="no UVs"):
        project_photo(replace(MODEL, uvs=np.zeros((0, 2), np.float32)), posed(), CAMERA, plain)
