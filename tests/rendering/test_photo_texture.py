# SPDX-License-Identifier: Apache-2.0
"""Textures from pictures whose every pixel is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.photo_truth import cut_difference, errors_of, known_skin, picture_of, plain_projection
from smirk_core.errors import Cancelled, MediaError, TakeError
from smirk_core.heads.decode import decode, project
from smirk_core.heads.library import load_head
from smirk_core.rendering.photo_texture import (
    PhotoView,
    TextureOptions,
    blend_photos,
    choose_rows,
    flat_prior,
    project_photo,
    skin_prior,
    skin_surface,
    take_views,
)
from smirk_core.rendering.photo_texture.colour import brightness, from_log, to_bytes, to_linear, to_log
from smirk_core.rendering.photo_texture.light import fit_light
from smirk_core.rendering.photo_texture.surface import normals_of
from smirk_core.rendering.photo_texture.texture_grid import blend_bands, mirror_places
from smirk_core.take import Take, TakeInfo

MODEL = load_head()
CAMERA = np.array([1400.0, 199.5, 240.0])
SIZE = 256
RAW = TextureOptions(light=0.0, glare=False, occluders=False)
SKIN = (190, 140, 120)


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


def flat(colour: tuple[int, int, int] = SKIN) -> np.ndarray:
    return np.full((400, 400, 3), colour, np.uint8)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return known_skin(skin_surface(MODEL, SIZE))


@pytest.fixture(scope="module")
def views(truth: np.ndarray) -> list[PhotoView]:
    return [picture_of(MODEL, truth, yaw, 288, gain=g) for yaw, g in ((0.0, 1.0), (0.75, 0.8), (-0.75, 1.2))]


# Where texels are


def test_every_texel_is_where_its_point_is_in_the_picture() -> None:
    v, u = np.mgrid[:400, :400]
    ramp = np.stack([80 + u / 4, 80 + v / 4, np.full_like(u, 120)], axis=2).astype(np.uint8)
    texture = blend_photos(MODEL, [PhotoView(ramp, posed(), CAMERA)], size=SIZE, options=replace(RAW, mirror=False))
    row, column, places = texel_of("cheeks")
    seen = texture.seen[row, column] > 0.99
    assert seen.sum() > 80
    found = texture.image[row, column].astype(float)[seen]
    at_u, at_v = CAMERA[0] * places[:, 0] + CAMERA[1], CAMERA[2] - CAMERA[0] * places[:, 1]
    # A texel is up to half its own size away from the vertex; the ramp rises by a quarter a pixel.
    assert np.abs(found[:, 0] - (80 + at_u[seen] / 4)).max() < 3.5
    assert np.abs(found[:, 1] - (80 + at_v[seen] / 4)).max() < 3.5


def test_another_unwrapping_gives_the_same_skin(views: list[PhotoView]) -> None:
    """Only ``model.uvs`` say where texels are: with u and v changed about, the texture is the same, transposed."""
    turned = replace(MODEL, uvs=1 - MODEL.uvs[:, ::-1])
    one = blend_photos(MODEL, views[1:2], size=SIZE)
    other = blend_photos(turned, views[1:2], size=SIZE)
    across = other.image.transpose(1, 0, 2).astype(float)
    both = (one.coverage > 0.9) & (other.coverage.T > 0.9)
    assert both.mean() > 0.03
    assert np.abs(one.image.astype(float) - across)[both].mean() < 1.5


def test_mirror_places_go_there_and_back() -> None:
    surface = skin_surface(MODEL, SIZE)
    places = mirror_places(surface)
    assert places is not None
    where = np.full(SIZE * SIZE, -1)
    where[surface.texels] = np.arange(len(surface.texels))
    there = where[places]
    inside = there >= 0
    assert inside.mean() > 0.95
    x = np.einsum("nk,nk->n", surface.shares, MODEL.template[:, 0][surface.corners])
    assert np.median(np.abs(x[inside] + x[there[inside]])) < 5e-4  # metres
    back = places[there[inside]]
    row, column = np.divmod(surface.texels[inside], SIZE)
    assert (np.maximum(np.abs(row - back // SIZE), np.abs(column - back % SIZE)) <= 2).mean() > 0.95


# What is filled


def test_what_is_hidden_comes_from_the_other_half() -> None:
    turned = posed(0.9)  # the nose towards the subject's left: the left cheek is hidden
    row, column, places = texel_of("cheeks")
    hidden = places[:, 0] > 0.035
    view, prior = [PhotoView(flat(), turned, CAMERA)], flat_prior(skin_surface(MODEL, SIZE))
    alone = blend_photos(MODEL, view, size=SIZE, options=replace(RAW, mirror=False), prior=prior)
    both = blend_photos(MODEL, view, size=SIZE, options=RAW, prior=prior)
    assert alone.coverage[row, column][hidden].mean() < 0.3
    assert both.coverage[row, column][hidden].mean() > 0.6
    assert both.seen[row, column][hidden].mean() < 0.3
    skin = skin_surface(MODEL, SIZE).texels
    assert np.abs(both.image.reshape(-1, 3)[skin].astype(float) - SKIN).max() < 8  # one colour and its pores
    assert both.tone == pytest.approx(np.array(SKIN) / 255, abs=0.01)


def test_a_smooth_field_meets_what_is_known_and_stays_within_it() -> None:
    surface = skin_surface(MODEL, SIZE)
    weight = np.where(surface.frame[:, 2] > 0, 1.0, 0.0) * surface.skin
    values = np.where(surface.frame[:, 0] > 0, 1.0, -1.0)[:, None]
    field = surface.spread(values, 1e3 * weight, home=0.0)[:, 0]
    assert np.abs(field - values[:, 0])[weight > 0].max() < 0.05
    assert np.abs(field[surface.skin]).max() < 1.001  # a harmonic field has its extremes where it is held
    assert np.abs(surface.spread(np.ones_like(values), weight, home=0.0)[surface.skin] - 1).max() < 1e-2


def test_layers_of_one_colour_blend_to_that_colour() -> None:
    rng = np.random.default_rng(0)
    same = np.broadcast_to(np.array([0.3, -0.2, 0.1], np.float32), (64, 64, 3))
    weights = [rng.uniform(0, 1, (64, 64)).astype(np.float32) * (np.arange(64) > 20) for _ in range(2)]
    out = blend_bands([same, same], weights)
    assert np.abs(out - same)[:, 28:].max() < 1e-4


# What is taken off


@pytest.mark.parametrize("chosen", [slice(0, 1), slice(1, 2), slice(0, 3)], ids=["front", "turned", "three"])
def test_a_known_skin_is_found_again(truth: np.ndarray, views: list[PhotoView], chosen: slice) -> None:
    """Under coloured light from one side, with a highlight and other exposures: ``benchmarks.photo_truth``."""
    surface = skin_surface(MODEL, SIZE)
    made = blend_photos(MODEL, views[chosen], size=SIZE)
    errors, plain = (
        errors_of(surface, t, truth) for t in (made, plain_projection(MODEL, views[chosen], SIZE))
    )  # fmt: skip
    assert errors.seen < 7 and errors.filled < 6
    assert errors.seen < 0.6 * plain.seen
    assert np.isnan(errors.mirrored) or errors.mirrored < 9
    assert errors.rim < 0.75 * plain.rim and errors.rim < 2.2 * errors.inside
    shares = made.weights.sum(axis=0)
    assert np.abs(shares[made.seen > 0.05] - 1).max() < 1e-3 and shares[made.seen == 0].max() < 1e-6


def test_light_is_told_from_skin() -> None:
    surface = skin_surface(MODEL, SIZE)
    prior = skin_prior(surface)
    normals = normals_of(np.asarray(MODEL.template, float), surface.triangles)
    lamp = np.log(0.7 + 0.4 * np.clip(normals @ np.array([0.7, 0.2, 0.68]), 0, 1))
    seen = surface.face * np.clip(normals[:, 2], 0, 1)
    light, skin = fit_light(prior.mean + 0.2 + lamp[:, None], normals, seen, prior)
    known = seen > 0.5
    off = brightness(light)[known] - (lamp[known] - np.average(lamp, weights=seen))
    assert np.abs(off).mean() < 0.05 < np.abs(lamp[known] - lamp[known].mean()).mean()
    assert np.abs((skin - prior.mean)[known].std(axis=0)).max() < 0.06


def test_a_hat_and_a_lock_of_hair_are_no_skin(truth: np.ndarray) -> None:
    surface = skin_surface(MODEL, SIZE)
    clean = picture_of(MODEL, truth, 0.0, 288)
    place = project(clean.vertices[None], np.asarray(clean.camera)[None])[0]
    picture = clean.picture.copy()
    top = int(place[MODEL.regions["brows"], 1].min() - 26)
    picture[:top] = (40, 30, 110)
    cheek = place[MODEL.regions["cheeks"] & (MODEL.template[:, 0] > 0.02), :2].mean(axis=0).astype(int)
    picture[cheek[1] - 20 : cheek[1] + 20, cheek[0] - 4 : cheek[0] + 4] = (30, 22, 18)
    view = [replace(clean, picture=picture)]
    made = blend_photos(MODEL, view, size=SIZE)
    kept = blend_photos(MODEL, view, size=SIZE, options=TextureOptions(occluders=False))
    right = to_bytes(np.clip(truth, 0, 1))
    skin = np.zeros(SIZE * SIZE, bool)
    skin[surface.texels] = True

    def dark(image: np.ndarray) -> int:
        return int(((right - image).mean(axis=2).ravel()[skin] > 50).sum())

    assert dark(kept.image) > 150 and dark(made.image) < 0.1 * dark(kept.image)
    blue = made.image[..., 2].astype(int) > made.image[..., 0].astype(int) + 10
    assert blue.ravel()[skin].mean() < 0.002


def test_a_highlight_is_taken_off(truth: np.ndarray) -> None:
    views = [picture_of(MODEL, truth, 0.0, 288, shine=s) for s in (0.0, 0.35)]
    matt, kept, off = (
        blend_photos(MODEL, [v], size=SIZE, options=TextureOptions(glare=g)).image.astype(float).mean(axis=2)
        for v, g in ((views[0], False), (views[1], False), (views[1], True))
    )
    shiny = kept - matt > 12
    assert shiny.sum() > 30
    assert (off - matt)[shiny].mean() < 0.75 * (kept - matt)[shiny].mean()


def test_brows_stay_or_go(views: list[PhotoView]) -> None:
    picture = views[0].picture.copy()
    place = np.rint(project(views[0].vertices[None], np.asarray(views[0].camera)[None])[0, :, :2]).astype(int)
    for column, row in place[MODEL.regions["brows"]]:
        picture[row - 1 : row + 2, column - 2 : column + 3] = (40, 28, 22)
    view = [replace(views[0], picture=picture)]
    row, column, _ = texel_of("brows")
    stay = blend_photos(MODEL, view, size=SIZE).image[row, column].mean()
    gone = blend_photos(MODEL, view, size=SIZE, options=TextureOptions(brows=False)).image[row, column].mean()
    skin = blend_photos(MODEL, view, size=SIZE).tone.mean() * 255
    assert stay < 0.6 * skin and gone > 0.8 * skin


# The statistic


def test_the_statistic_is_small_even_and_a_skin() -> None:
    from smirk_core.rendering.photo_texture.skin_prior import SKIN_PRIOR_PATH

    assert SKIN_PRIOR_PATH.stat().st_size < 300_000
    surface = skin_surface(MODEL, SIZE)
    prior, order = skin_prior(surface), surface.mirror
    assert order is not None
    assert np.abs(prior.mean - prior.mean[order])[surface.skin].max() < 0.05
    colour = from_log(prior.mean[surface.skin])
    assert (colour[:, 0] > colour[:, 1]).all() and (colour[:, 1] > 0.9 * colour[:, 2]).all()
    lips, cheeks = (prior.mean[MODEL.regions[n] & surface.skin].mean(axis=0) for n in ("lips", "cheeks"))
    assert lips[0] - lips[1] > cheeks[0] - cheeks[1] + 0.05  # redder
    people = prior.mean + 0.8 * prior.modes[0] + [-0.5, -0.6, -0.7]
    again = prior.fit(people, surface.face)
    assert np.abs(again - people)[surface.face > 0.5].max() < 0.05


def test_colours_survive() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.abs(to_bytes(to_linear(every)) - every).max() < 0.6
    assert np.abs(from_log(to_log(to_linear(every))) - to_linear(every)).max() < 1e-5


# Frames of clips


def clip(path: str = "", n: int = 50) -> Take:
    """The head turns from left to right; every second frame blinks, the first ten speak, one is lost."""
    raw = {
        "rotation": np.stack([np.zeros(n), np.linspace(-0.6, 0.6, n), np.zeros(n)], axis=1),
        "camera": np.tile(CAMERA, (n, 1)),
        "expression": np.zeros((n, MODEL.expression_size)),
        "eyelids": np.repeat((np.arange(n) % 2)[:, None], 2, axis=1).astype(float),
        "jaw": np.stack([np.where(np.arange(n) < 10, 0.3, 0.0), np.zeros(n), np.zeros(n)], axis=1),
        "visibility": (np.arange(n) != 24).astype(float)[:, None],
    }
    return Take(TakeInfo(source=path), np.arange(n) / 25, np.zeros(MODEL.identity_size), raw, raw)


def test_the_best_frames_have_open_eyes_a_closed_mouth_and_other_turns() -> None:
    groups = choose_rows(MODEL, clip(), 5)
    first = [group[0] for group in groups]
    assert 4 <= len(first) <= 5 and len(set(first)) == len(first)
    assert all(row % 2 == 0 and row >= 10 and row != 24 for row in first)
    yaw = np.linspace(-0.6, 0.6, 50)[first]
    assert np.abs(yaw[0]) < 0.1 and np.ptp(yaw) > 0.6
    assert np.diff(np.sort(yaw)).min() > 0.1
    assert all(len(group) <= 3 for group in groups)


def test_of_frames_alike_the_sharpest_is_taken(views: list[PhotoView]) -> None:
    take = clip(n=200)
    rng = np.random.default_rng(0)
    sharp = rng.integers(60, 200, (400, 400, 3)).astype(np.uint8)
    best = {group[-1] for group in choose_rows(MODEL, take, 3)}
    read: list[int] = []

    def reader(_take: Take, rows: object) -> object:
        for row in rows:  # type: ignore[attr-defined]
            read.append(row)
            yield row, sharp if row in best else np.full_like(sharp, 128)

    found = take_views(MODEL, take, count=3, read=reader)  # type: ignore[arg-type]
    assert len(found) == 3 and all(v.picture is sharp for v in found)
    assert read == sorted(read) and len(read) > 3


# Refusals


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match="Nothing of the face"):
        project_photo(MODEL, posed(np.pi), CAMERA, flat(), size=64)
    with pytest.raises(TakeError, match="Nothing of the face"):
        project_photo(MODEL, posed(), np.array([1400.0, 5000.0, 240.0]), flat(), size=64)
    with pytest.raises(TakeError, match="no UVs"):
        project_photo(replace(MODEL, uvs=np.zeros((0, 2), np.float32)), posed(), CAMERA, flat())
    with pytest.raises(TakeError, match="no picture"):
        blend_photos(MODEL, [])
    with pytest.raises(TakeError, match="must be"):
        project_photo(MODEL, posed(), CAMERA, flat()[..., 0], size=64)
    with pytest.raises(TakeError, match="model"):
        project_photo(MODEL, posed()[:100], CAMERA, flat(), size=64)
    with pytest.raises(MediaError, match="no footage"):
        take_views(MODEL, clip())
    with pytest.raises(MediaError):
        take_views(MODEL, clip(str(tmp_path / "gone.mp4")))
    lost = clip()
    lost.raw["visibility"][:] = 0  # type: ignore[index]
    with pytest.raises(TakeError, match="No frame"):
        choose_rows(MODEL, lost)
    with pytest.raises(TakeError, match="frames 0 to 49"):
        take_views(MODEL, clip(), rows=[50])


def test_work_can_be_stopped(views: list[PhotoView]) -> None:
    told: list[tuple[str, int, int | None]] = []

    def stop(stage: str, done: int, total: int | None) -> None:
        told.append((stage, done, total))
        if done == 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        blend_photos(MODEL, views, size=64, progress=stop)
    assert [t[1:] for t in told] == [(0, 3), (1, 3)]


def test_no_seam_where_the_unwrapping_is_cut(views: list[PhotoView]) -> None:
    surface = skin_surface(MODEL, SIZE)
    made = blend_photos(MODEL, views[:1], size=SIZE)
    rng = np.random.default_rng(0)
    torn = made.image.astype(int) + rng.integers(-30, 31, (8, 8, 1)).repeat(32, 0).repeat(32, 1)
    assert not cut_difference(surface, made.image) > 8
    assert cut_difference(surface, np.clip(torn, 0, 255).astype(np.uint8)) > 12
