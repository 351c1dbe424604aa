# SPDX-License-Identifier: Apache-2.0
"""Hair, beards, glasses, ages and people on the open head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import smirk_core
from smirk_core.errors import AssetError
from smirk_core.groom.age import age_identity, age_look
from smirk_core.groom.beard import BEARDS, beard, beard_cut
from smirk_core.groom.glasses import GLASSES, glasses, glasses_on
from smirk_core.groom.hair import HAIR, hair, hair_cut
from smirk_core.groom.hull import head_hull
from smirk_core.groom.people import PEOPLE, person, person_identity
from smirk_core.groom.person_shapes import person_directions
from smirk_core.groom.roots import hair_height
from smirk_core.groom.wear import Wear
from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head

HEAD = load_head("open")
ASSETS = Path(smirk_core.__file__).parent / "assets"
SOLID = HEAD.regions["skin"] & ~HEAD.regions["sockets"] & ~HEAD.regions["mouth_interior"]


def people(count: int) -> np.ndarray:
    draw = np.random.default_rng(3).normal(0, 0.95, (count, HEAD.identity_size))
    return np.clip(draw, -2.2, 2.2)


def well_made(wear: Wear) -> None:
    assert np.isfinite(wear.points).all() and np.isfinite(wear.uvs).all()
    assert wear.polygons.max() == len(wear.points) - 1 and wear.polygons[:, :3].min() >= 0
    assert np.allclose(wear.weights.sum(axis=1), 1)
    assert HEAD.regions["skin"][wear.corners].all()


def skin_normals(vertices: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[HEAD.triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, HEAD.triangles[:, k], face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def depth_in_skin(points: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(n,) metres that each point lies behind the skin at its nearest vertex; negative outside."""
    skin = vertices[SOLID].astype(np.float32)
    far = (points.astype(np.float32) @ skin.T) * -2 + (skin**2).sum(axis=1)
    nearest = far.argmin(axis=1)
    return -((points - skin[nearest]) * skin_normals(vertices)[SOLID][nearest]).sum(axis=1)


@pytest.mark.parametrize("style", list(HAIR))
def test_every_cut_is_well_made_and_light(style: str) -> None:
    wear = hair_cut(HEAD, hair(style))
    well_made(wear)
    assert len(wear.polygons) < 9000
    # Hair stays outside the head: roots aside, hardly anything lies below the hull.
    hull = head_hull(HEAD)
    strands = np.unique(wear.polygons[wear.materials == "strands"]) if "strands" in wear.materials else []
    if len(strands):
        points = wear.points[strands]
        low = np.linalg.norm(hull.pushed(points, np.zeros(len(points))) - points, axis=1)
        assert np.quantile(low, 0.9) < 8e-3


def test_hair_covers_the_scalp_and_leaves_the_face_free() -> None:
    """Straight above the hairline every ray from within the skull meets hair; none of it hangs before the eyes."""
    height = hair_height(HEAD, HEAD.template.astype(float))
    grown = np.flatnonzero(HEAD.regions["scalp"] & (height > 0.15))
    for style in ("short", "long", "afro", "buzz"):
        wear = hair_cut(HEAD, hair(style))
        away = np.array([((wear.points - HEAD.template[v]) ** 2).sum(axis=1).min() for v in grown]) ** 0.5
        assert away.max() < 0.012, style
        before = (wear.points[:, 2] > 0.03) & (np.abs(wear.points[:, 0]) < 0.045) & (wear.points[:, 1] < 0.045)
        assert not before.any(), style
    bald = hair_cut(HEAD, hair("bald"))
    assert bald.points[:, 1].max() < HEAD.template[HEAD.regions["scalp"], 1].max() - 0.02


def test_cuts_differ() -> None:
    lowest = {n: hair_cut(HEAD, hair(n)).points[:, 1].min() for n in ("crop", "bob", "long")}
    assert lowest["long"] < lowest["bob"] - 0.03 < lowest["crop"] - 0.03
    wide = {n: np.ptp(hair_cut(HEAD, hair(n)).points[:, 0]) for n in ("buzz", "afro")}
    assert wide["afro"] > wide["buzz"] + 0.05
    again = hair_cut(HEAD, hair("curls"))
    # The same to rounding: how sums are grouped depends on where arrays lie in memory.
    np.testing.assert_allclose(again.points, hair_cut(HEAD, hair("curls")).points, atol=1e-6)


@pytest.mark.parametrize("style", list(BEARDS))
def test_beards_are_on_the_lower_face_alone(style: str) -> None:
    wear = beard_cut(HEAD, beard(style))
    well_made(wear)
    eyes = (HEAD.joint_regressor[3:5] @ HEAD.template).mean(axis=0)
    assert wear.points[:, 1].max() < eyes[1] + 0.012
    assert wear.points[:, 2].min() > -0.055  # nothing on the nape
    lips = HEAD.template[HEAD.regions["lips"]]
    if style in ("moustache", "chin"):
        assert np.abs(wear.points[:, 0]).max() < np.abs(lips[:, 0]).max() + 0.015


def test_what_is_worn_follows_the_face() -> None:
    wear = beard_cut(HEAD, beard("full"))
    row = np.zeros((1, 52))
    row[0, ARKIT_INDEX["mouthSmileLeft"]] = row[0, ARKIT_INDEX["mouthSmileRight"]] = 1
    still = np.asarray(decode(HEAD, {"identity": people(1)}).vertices[0], dtype=float)
    smile = np.asarray(decode(HEAD, {"identity": people(1)} | groups_from_arkit(HEAD, row)).vertices[0], dtype=float)
    moved = wear.on(HEAD, smile) - wear.on(HEAD, still)
    assert np.linalg.norm(moved, axis=1).max() > 3e-3
    gap = wear.on(HEAD, smile) - smile[wear.corners[:, 0]]
    assert np.abs(gap - (wear.on(HEAD, still) - still[wear.corners[:, 0]])).max() < 4e-3
    assert np.allclose(wear.on(HEAD, HEAD.template), wear.points)
    jaw = wear.carried(HEAD.skinning_weights)
    assert np.allclose(jaw.sum(axis=1), 1, atol=1e-3) and jaw[:, 2].max() > 0.8


def test_glasses_do_not_cut_the_face_of_anyone() -> None:
    vertices = np.asarray(decode(HEAD, {"identity": people(50)}).vertices, dtype=float)
    cut = []
    for k, shape in enumerate(vertices):
        wear = glasses_on(HEAD, shape, list(GLASSES.values())[k % len(GLASSES)])
        well_made(wear)
        depth = depth_in_skin(wear.points, shape)
        cut.append(float(depth.max()))
        # Lenses stand before the eyes, the hooks end behind the ears.
        lens = np.unique(wear.polygons[wear.materials == "lens"])
        lens = wear.points[lens[lens >= 0]]
        eyes = HEAD.joint_regressor[3:5] @ shape
        assert lens[:, 2].min() > eyes[:, 2].max() + 0.010
        assert lens[:, 0].max() > eyes[0, 0] > 0
        ears = shape[HEAD.regions["ears"]]
        assert wear.points[:, 2].min() < ears[:, 2].mean() - 0.008
    assert max(cut) < 1.2e-3
    assert np.mean(np.array(cut) > 0.4e-3) < 0.1


def test_age_moves_the_face_there_and_back() -> None:
    rest = HEAD.template[SOLID]

    def shape(years: float, male: float = 0.5) -> np.ndarray:
        return np.asarray(decode(HEAD, {"identity": age_identity(HEAD, years, male)[None]}).vertices[0], dtype=float)

    assert np.abs(age_identity(HEAD, 30)).max() < 1e-9
    old, child = shape(75), shape(8)
    assert 1e-3 < np.linalg.norm(old[SOLID] - rest, axis=1).mean() < 5e-3
    assert np.ptp(child[SOLID], axis=0)[1] < 0.95 * np.ptp(rest, axis=0)[1]  # smaller
    lips = HEAD.regions["lips"]
    assert np.ptp(old[lips, 1]) < np.ptp(HEAD.template[lips, 1])  # thinner lips
    ears = HEAD.regions["ears"]
    assert np.ptp(old[ears, 1]) > np.ptp(HEAD.template[ears, 1])  # longer ears
    # Beyond the range nothing more happens, and men and women age differently.
    assert np.array_equal(age_identity(HEAD, 90), age_identity(HEAD, 200))
    assert np.abs(shape(80, 0.0) - shape(80, 1.0)).max() > 1e-3
    looks = [age_look(y) for y in (10, 30, 50, 70, 90)]
    for name in ("grey", "wrinkles", "spots", "thin"):
        values = [getattr(look, name) for look in looks]
        assert values == sorted(values) and min(values) >= 0 and max(values) <= 1


def test_people_are_plausible_and_unlike() -> None:
    identities = {name: person_identity(HEAD, who) for name, who in PEOPLE.items()}
    for name, who in PEOPLE.items():
        assert np.abs(identities[name]).max() < 4.5, name
        assert (not who.hair or who.hair in HAIR) and (not who.beard or who.beard in BEARDS)
        assert not who.glasses or who.glasses in GLASSES
        assert (ASSETS / "people" / f"{name}.png").is_file(), name
    rows = np.array(list(identities.values()))
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + 99 * np.eye(len(rows))
    assert apart.min() > 2
    years, sexes = [p.years for p in PEOPLE.values()], [p.male for p in PEOPLE.values()]
    assert min(years) < 12 and max(years) > 70 and min(sexes) == 0 and max(sexes) == 1


def test_names_that_do_not_exist_are_told() -> None:
    for ask in (hair, beard, glasses, person):
        with pytest.raises(AssetError, match="there are "):
            ask("wig of gold")


def test_other_heads_are_refused(tmp_path: Path) -> None:
    bare = replace(HEAD, name="bare", digest="bare", regions={"skin": HEAD.regions["skin"]})
    other: HeadModel = replace(bare, digest="other", regions={"skin": HEAD.regions["lips"]})
    for work in (
        lambda: hair_cut(bare, hair("short")),
        lambda: beard_cut(bare, beard("full")),
        lambda: glasses_on(bare, HEAD.template, glasses("round")),
        lambda: person_directions(other),
    ):
        with pytest.raises(AssetError, match="bare"):
            work()
    damaged = tmp_path / "shapes.npz"
    damaged.write_bytes(b"nothing")
    with pytest.raises(AssetError, match="cannot be read"):
        person_directions(HEAD, damaged)
    np.savez(damaged, male=np.zeros((3, 3)))
    with pytest.raises(AssetError, match="has no"):
        person_directions(HEAD, damaged)
