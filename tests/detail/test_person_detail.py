# SPDX-License-Identifier: Apache-2.0
"""A person's own detail: out of pictures whose truth is known, into files, and unmoved by expressions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smirk_core.detail.activation import folding
from smirk_core.detail.baking import person_height, relief_height
from smirk_core.detail.groups import GROUP_NAMES, GROUPS
from smirk_core.detail.heights import wrinkle_maps
from smirk_core.detail.person import PersonDetail, load_person_detail
from smirk_core.detail.recover import choose_detail_rows, recover_detail
from smirk_core.detail.shape_from_shading import BROAD, FINE, band, harmonics, light_of, solve_height
from smirk_core.detail.surface import Window
from smirk_core.errors import AssetError, TakeError
from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.library import load_head
from smirk_core.rendering.overlay import blend
from smirk_core.rendering.photo_texture import PhotoView
from smirk_core.rendering.relief import Relief
from smirk_core.rendering.shading import Look, render_vertices
from smirk_core.take import Take, TakeInfo

OPEN = load_head()
SIZE, PIXELS = 768, 400


def pose(**weights: float) -> np.ndarray:
    row = np.zeros(len(ARKIT_INDEX))
    for name, value in weights.items():
        for side in (name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right"):
            row[ARKIT_INDEX[side]] = value
    return row


ACTIONS = (
    pose(), pose(browInnerUp=1, browOuterUp=1), pose(browDown=1, noseSneer=0.6),
    pose(mouthSmile=1, cheekSquint=0.9, eyeSquint=0.4), pose(mouthFrown=1, mouthShrugLower=1),
)  # fmt: skip


class Person:
    """A head with relief and group strengths that are known, to take pictures of."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.maps, other = wrinkle_maps(OPEN, SIZE), wrinkle_maps(OPEN, SIZE, 8 + seed)
        chosen = rng.uniform(0, 1, len(GROUPS)) * (rng.uniform(0, 1, len(GROUPS)) < 0.6)
        self.static = other.surface.as_map(1.2 * other.height(chosen))
        self.shares = rng.uniform(0.2, 1.9, len(GROUPS))
        self.seed = seed

    def picture(self, weights: np.ndarray, yaw: float) -> PhotoView:
        act = folding(weights[None])[0] * self.shares
        height = self.static + self.maps.surface.as_map(self.maps.height(act))
        groups = groups_from_arkit(OPEN, weights[None]) | {"rotation": np.radians([[0.0, yaw, 0.0]])}
        vertices = np.asarray(decode(OPEN, groups).vertices[0])
        camera = np.array([PIXELS / 0.21, PIXELS / 2, PIXELS / 2])
        look = Look(hair=0.0, pores=0.4, blotches=0.05, gloss=0.02, flush=0.3, shadows=False, seed=self.seed)
        relief = Relief(height, self.maps.surface.window.bounds)
        image, alpha = render_vertices(OPEN, vertices, camera, PIXELS, PIXELS, look, relief=relief)
        return PhotoView(blend(np.full((PIXELS, PIXELS, 3), 60, np.uint8), image, alpha), vertices, camera)


@pytest.fixture(scope="module")
def person() -> Person:
    return Person(3)


@pytest.fixture(scope="module")
def found(person: Person) -> PersonDetail:
    views = [person.picture(w, yaw) for w, yaw in zip(ACTIONS, (8, -10, 5, 12, -12), strict=True)]
    return recover_detail(OPEN, views, np.stack(ACTIONS), size=SIZE, source="here")


def likeness(detail: PersonDetail, truth: np.ndarray) -> float:
    """Correlation with the part of the truth that can be seen, where it was seen."""
    texel = 0.72  # mm at 768
    seen = detail.trust > 0.4
    wanted = band(1e3 * truth, detail.trust, FINE / texel, BROAD / texel)
    return float(np.corrcoef(wanted[seen], 1e3 * detail.height[seen])[0, 1])


def test_relief_comes_back(person: Person, found: PersonDetail) -> None:
    assert likeness(found, person.static) > 0.4
    stranger = Person(4)
    assert likeness(found, person.static) > likeness(found, stranger.static) + 0.2
    assert np.abs(found.height).max() < 2e-3 and found.frames == 5


def test_strong_groups_are_found_stronger(person: Person, found: PersonDetail) -> None:
    acting = folding(np.stack(ACTIONS)).max(axis=0) > 0.5
    ranks = [np.argsort(np.argsort(v[acting])) for v in (found.shares, person.shares)]
    assert acting.sum() > 12 and np.corrcoef(ranks[0], ranks[1])[0, 1] > 0.35


def test_relief_stays_when_the_expression_changes(person: Person) -> None:
    """Taken from a laughing and from an angry face, the relief is one and the same person's."""
    laugh, angry, stranger = ACTIONS[3], ACTIONS[2], Person(4)
    first, second = (recover_detail(OPEN, [person.picture(w, 8)], w[None], size=SIZE) for w in (laugh, angry))
    other = recover_detail(OPEN, [stranger.picture(laugh, 8)], laugh[None], size=SIZE)
    for own in (first, second):
        assert likeness(own, person.static) > likeness(own, stranger.static) + 0.1
    assert likeness(other, stranger.static) > likeness(other, person.static) + 0.1
    both = (first.trust > 0.4) & (second.trust > 0.4) & (other.trust > 0.4)
    same, strange = (np.corrcoef(second.height[both], d.height[both])[0, 1] for d in (first, other))
    assert same > 0.4 and same > strange


def test_a_picture_without_relief_gives_none(person: Person) -> None:
    smooth = Person(3)
    smooth.static = 0 * smooth.static
    view = smooth.picture(ACTIONS[0], 8)
    bare = recover_detail(OPEN, [view], ACTIONS[0][None], size=SIZE)
    rough = recover_detail(OPEN, [person.picture(ACTIONS[0], 8)], np.stack(ACTIONS[:1]), size=SIZE)
    seen = bare.trust > 0.4
    assert bare.height[seen].std() < 0.8 * rough.height[seen].std()


def test_light_is_found_from_normals_and_brightness() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(4000, 3)) * [1, 1, 0.4] + [0, 0, 1]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    truth = np.array([0.5, 0.15, 0.2, -0.25, 0.02, 0.01, 0.03, -0.02, 0.01])
    brightness = harmonics(normals) @ truth
    brightness[:200] *= 0.2  # a brow
    light = light_of(normals, brightness, np.ones(len(normals)))
    assert np.abs(harmonics(normals) @ (light - truth)).max() < 0.05


def test_a_bump_is_integrated_from_its_shading() -> None:
    y, x = np.indices((80, 90), dtype=np.float32)
    bump = 0.4 * np.exp(-((x - 45) ** 2 + (y - 40) ** 2) / 60)
    columns, rows = np.full_like(bump, 0.6), np.full_like(bump, 0.8)
    detail = 0.6 * np.gradient(bump, axis=1) + 0.8 * np.gradient(bump, axis=0) + 0.26 * bump
    height = solve_height(columns, rows, detail, np.ones_like(bump), 0.5)
    assert np.corrcoef(height.ravel(), bump.ravel())[0, 1] > 0.9


def test_nothing_seen_is_an_error(person: Person) -> None:
    view = person.picture(ACTIONS[0], 8)
    away = PhotoView(view.picture, view.vertices * [1, 1, -1] * [-1, 1, 1], view.camera)
    with pytest.raises(TakeError, match="bare skin"):
        recover_detail(OPEN, [away], np.stack(ACTIONS[:1]), size=256)
    with pytest.raises(TakeError, match="0 pictures"):
        recover_detail(OPEN, [], np.zeros((0, 52)))


def test_frames_of_a_clip_are_those_in_which_most_happens() -> None:
    frames = 40
    weights = np.zeros((frames, OPEN.expression_size))
    for name, at in (("browInnerUp", 10), ("mouthSmileLeft", 20), ("noseSneerLeft", 30)):
        weights[at, OPEN.expression_names.index(name)] = 1.0
    raw = {
        "expression": weights, "eyelids": np.zeros((frames, 2)), "jaw": np.zeros((frames, 3)),
        "rotation": np.zeros((frames, 3)), "camera": np.tile([1000.0, 200.0, 200.0], (frames, 1)),
    }  # fmt: skip
    take = Take(TakeInfo(head=OPEN.name), np.arange(frames) / 25, np.zeros(3), raw, raw)
    rows = choose_detail_rows(OPEN, take, 6)
    assert {10, 20, 30} <= set(rows) and len(rows) <= 6
    assert len(choose_detail_rows(OPEN, take, 1)) == 1


# Files


def made(**changes: Any) -> PersonDetail:
    window = Window(512, 100, 120, 200, 160)
    rng = np.random.default_rng(0)
    values = {
        "head": OPEN.name, "digest": OPEN.digest, "window": window,
        "height": rng.normal(0, 2e-4, (160, 200)).astype(np.float32),
        "trust": rng.uniform(0, 1, (160, 200)).astype(np.float32), "shares": rng.uniform(0, 2, len(GROUPS)),
        "source": "é.png", "frames": 3,
    }  # fmt: skip
    return PersonDetail(**(values | changes))


def test_files_come_back_as_they_were(tmp_path: Path) -> None:
    detail = made()
    back = load_person_detail(detail.save(tmp_path / "a.npz"))
    assert (back.head, back.window, back.source, back.frames) == (detail.head, detail.window, "é.png", 3)
    assert np.abs(back.height - detail.height).max() <= 0.51e-7 and np.abs(back.trust - detail.trust).max() < 0.003
    assert np.allclose(back.shares, detail.shares)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("fault", ["missing", "bytes", "kind", "newer", "window", "shape", "shares", "pickle"])
def test_bad_files_are_refused_in_words(tmp_path: Path, fault: str) -> None:
    path = made().save(tmp_path / "a.npz")
    arrays: dict[str, Any] = dict(np.load(path))
    header = json.loads(str(arrays["header"]))
    if fault == "missing":
        path = tmp_path / "none.npz"
    elif fault == "bytes":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        header["kind"] = "other" if fault == "kind" else header["kind"]
        header["schema"] = 99 if fault == "newer" else 1
        header["window"] = [512, 400, 120, 200, 160] if fault == "window" else header["window"]
        arrays["height"] = arrays["height"][1:] if fault == "shape" else arrays["height"]
        if fault == "shares":
            arrays["shares"] = np.full(len(GROUPS), np.nan, np.float32)
        if fault == "pickle":
            arrays["shares"] = np.array([print] * len(GROUPS), dtype=object)
        arrays["header"] = np.array(json.dumps(header))
        np.savez(path, **arrays)
    with pytest.raises(AssetError):
        load_person_detail(path)


def test_groups_are_matched_by_name(tmp_path: Path) -> None:
    path = made(shares=np.linspace(0, 2, len(GROUPS))).save(tmp_path / "a.npz")
    arrays: dict[str, Any] = dict(np.load(path))
    header = json.loads(str(arrays["header"]))
    header["groups"] = ["of the future", *header["groups"][2:]]
    arrays |= {"header": np.array(json.dumps(header)), "shares": arrays["shares"][1:]}
    np.savez(path, **arrays)
    shares = load_person_detail(path).shares
    assert shares[0] == shares[1] == 1.0 and np.allclose(shares[2:], np.linspace(0, 2, len(GROUPS))[2:])
    assert len(shares) == len(GROUP_NAMES)


def test_detail_goes_into_another_size_of_map(found: PersonDetail) -> None:
    weights = np.zeros(len(GROUPS))
    height, window = relief_height(OPEN, weights, size=512, person=found)
    same = person_height(found, found.window)
    assert np.abs(same - found.height).max() < 1e-6
    assert height.shape == (window.height, window.width)
    assert height.std() == pytest.approx(found.height.std(), rel=0.35)
