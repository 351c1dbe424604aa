# SPDX-License-Identifier: Apache-2.0
"""People, age, hair, beard, glasses, brows and lashes on a head in Blender."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk import api, registration
from blender_smirk.hair_materials import tufts_of
from blender_smirk.materials import add_materials
from blender_smirk.people import age_of, hair_colour_of
from blender_smirk.rig import HeadObjects, build_head, identity_of
from blender_smirk.wear import KINDS, Kind, Worn, worn, worn_objects
from smirk_core.errors import AssetError
from smirk_core.groom.people import PEOPLE, person_identity
from smirk_core.groom.tufts import BROWS, brow_picture
from smirk_core.heads.library import load_head

MODEL = load_head("open")


@pytest.fixture
def head() -> HeadObjects:
    made = build_head(MODEL, np.zeros(3), "Head")
    add_materials(made.mesh, MODEL)
    return made


def posed(obj: bpy.types.Object) -> np.ndarray:
    """(n, 3) vertices as they are shown now."""
    bpy.context.view_layer.update()
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(shown.data.vertices), np.float32)
    shown.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def wears(head: HeadObjects, kind: Kind) -> Worn:
    """What the head wears of a kind, which it does."""
    what = worn(head, kind)
    assert what is not None
    return what


def brow_image(head: HeadObjects) -> bpy.types.Image:
    (material,) = (s.material for s in head.mesh.material_slots if s.material.get("smirk_part") == "brow")
    (node,) = (n for n in material.node_tree.nodes if n.type == "TEX_IMAGE")
    return node.image


def test_a_person_comes_whole_and_another_leaves_nothing_behind(head: HeadObjects) -> None:
    api.apply_person(head, "elias")
    who = PEOPLE["elias"]
    assert np.allclose(identity_of(head, MODEL), person_identity(MODEL, who), atol=1e-4)
    assert age_of(head.mesh) == who.years
    assert wears(head, "hair").style == "receding" and wears(head, "beard").style == "full"
    assert worn(head, "glasses") is None
    assert hair_colour_of(head.mesh)[1] > 0.4 and tufts_of(head.mesh, "brow").grey > 0.3
    blocks = [len(getattr(bpy.data, n)) for n in ("objects", "meshes", "materials", "images")]
    api.apply_person(head, "nils")
    api.apply_person(head, "elias")
    assert [len(getattr(bpy.data, n)) for n in ("objects", "meshes", "materials", "images")] == blocks
    with pytest.raises(AssetError, match="nobody called"):
        api.apply_person(head, "somebody")


def test_what_is_worn_follows_bones_and_shape_keys(head: HeadObjects) -> None:
    for kind, style in (("hair", "short"), ("beard", "full"), ("glasses", "round")):
        api.wear_style(head, kind, style)
    objects = {json.loads(o["smirk_wear"])["kind"]: o for o in worn_objects(head)}
    assert set(objects) == set(KINDS)
    rest = {k: posed(o) for k, o in objects.items()}
    key = head.keys.key_blocks["mouthSmileLeft"]
    key.value = 1.0
    moved = {k: np.linalg.norm(posed(o) - rest[k], axis=1).max() for k, o in objects.items()}
    assert moved["beard"] > 4e-3 and moved["glasses"] < 1e-6
    key.value = 0.0
    jaw = head.armature.pose.bones["jaw"]
    jaw.rotation_mode = "XYZ"
    jaw.rotation_euler = (0.3, 0, 0)
    opened = np.linalg.norm(posed(objects["beard"]) - rest["beard"], axis=1)
    assert opened.max() > 0.01
    assert np.linalg.norm(posed(objects["glasses"]) - rest["glasses"], axis=1).max() < 1e-6
    jaw.rotation_euler = (0, 0, 0)
    neck = head.armature.pose.bones["neck"]
    neck.rotation_mode = "XYZ"
    neck.rotation_euler = (0, 0.4, 0)
    for obj, before in ((objects["hair"], rest["hair"]), (objects["glasses"], rest["glasses"])):
        turned = posed(obj)
        near = slice(0, 200)  # stiff: distances between their own points stay
        spread = [np.linalg.norm(p[near] - p[near].mean(axis=0), axis=1) for p in (before, turned)]
        assert np.linalg.norm(turned - before, axis=1).max() > 0.02
        if obj is objects["glasses"]:
            assert np.abs(spread[0] - spread[1]).max() < 1e-5


def test_another_face_is_fitted_anew(head: HeadObjects) -> None:
    api.wear_style(head, "glasses", "square")
    api.wear_style(head, "hair", "buzz")
    before = [posed(o) for o in worn_objects(head)]
    api.randomise_identity(head, 4)
    after = [posed(o) for o in worn_objects(head)]
    assert len(before) == len(after) == 2
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(after, before, strict=True))


def test_age_goes_and_comes_back(head: HeadObjects) -> None:
    api.wear_style(head, "hair", "crop")
    young = identity_of(head, MODEL)
    api.set_age(head, 80)
    assert age_of(head.mesh) == 80 and wears(head, "hair").grey > 0.8
    assert tufts_of(head.mesh, "brow").density < BROWS["natural"].density
    api.set_age(head, 30)
    assert np.allclose(identity_of(head, MODEL), young, atol=1e-3)
    assert wears(head, "hair").grey == 0
    assert tufts_of(head.mesh, "brow").density == pytest.approx(BROWS["natural"].density, abs=0.02)


def test_brows_change_their_picture(head: HeadObjects) -> None:
    api.set_brows(head, "bushy")
    image = brow_image(head)
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    wanted = brow_picture(BROWS["bushy"])[::-1].ravel() / 255
    assert np.abs(pixels - wanted).max() < 0.01
    assert image.packed_file is not None
    api.set_lashes(head, "none")
    assert tufts_of(head.mesh, "lash").density == 0
    with pytest.raises(AssetError, match="no such brows"):
        api.set_brows(head, "plucked")


def test_operators_work_and_other_heads_refuse() -> None:
    registration.register()
    try:
        build = build_head(MODEL, np.zeros(3), "Head")
        add_materials(build.mesh, MODEL)
        assert bpy.ops.smirk.wear_hair(style="bob") == {"FINISHED"}
        assert bpy.ops.smirk.set_hair_colour(colour=(0.6, 0.5, 0.3), grey=0.2) == {"FINISHED"}
        assert wears(build, "hair").colour == pytest.approx((0.6, 0.5, 0.3), abs=1e-5)
        assert bpy.ops.smirk.wear_hair(style="none") == {"FINISHED"} and not worn_objects(build)
        assert bpy.ops.smirk.set_brows(look="thin") == bpy.ops.smirk.set_lashes(look="thick") == {"FINISHED"}
        assert bpy.ops.smirk.set_age(years=12) == bpy.ops.smirk.apply_person(person="hana") == {"FINISHED"}
        bpy.ops.wm.read_homefile(use_empty=True)
        toy = toy_head()
        api.add_take(toy_take(toy, 2), head=toy)
        assert not bpy.ops.smirk.wear_hair.poll() and not bpy.ops.smirk.apply_person.poll()
    finally:
        registration.unregister()


def test_exported_files_carry_what_is_worn(head: HeadObjects, tmp_path: Path) -> None:
    api.wear_style(head, "hair", "buzz")
    api.wear_style(head, "glasses", "round")
    path = api.save(tmp_path / "head.glb", heads=[head])
    data = path.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    scene = json.loads(data[20 : 20 + length])
    names = {n["name"] for n in scene["nodes"]}
    assert {"Head hair", "Head glasses"} <= names
    hairy = [m for m in scene["materials"] if m["name"] in ("Head brow", "Head lash", "Head hair cap")]
    assert len(hairy) == 3
    for material in hairy:
        assert "baseColorTexture" in material["pbrMetallicRoughness"]
        assert material.get("alphaMode") in ("BLEND", "MASK")
