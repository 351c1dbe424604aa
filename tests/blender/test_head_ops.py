# SPDX-License-Identifier: Apache-2.0
"""What can be done with a head by hand: another face, an expression, a gaze, a look, the photo's skin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector
from PIL import Image
from toy import toy_head, toy_take

import blender_smirk
from blender_smirk import api, registration
from blender_smirk.gaze import INFLUENCE, clear_gaze, gaze_target, has_gaze, set_gaze
from blender_smirk.likeness import (
    captured_identity,
    randomise_identity,
    reset_identity,
    set_identity,
    symmetrise_identity,
)
from blender_smirk.look import colour_of, set_colour
from blender_smirk.photo_texture import add_photo_texture, has_photo_texture, remove_photo_texture
from blender_smirk.posing import apply_preset, make_symmetric
from blender_smirk.rig import HeadObjects, add_identity_keys, identity_of
from smirk_core.errors import MediaError, TakeError
from smirk_core.heads.arkit import arkit_from_groups
from smirk_core.heads.decode import decode
from smirk_core.heads.library import load_head
from smirk_core.heads.likeness import mirror_order
from smirk_core.heads.presets import PRESETS, preset
from smirk_core.rendering.shading import Look, render_head

OPEN = load_head()


@pytest.fixture
def addon() -> Iterator[None]:
    blender_smirk.register()
    yield
    if registration._registered:
        blender_smirk.unregister()


def open_head(count: int = 5, **info: Any) -> HeadObjects:
    take = toy_take(OPEN, count, smooth=True, info={"source": "clip.mp4", **info})
    head = HeadObjects.of(api.add_take(take, head="open").mesh)
    assert head is not None
    return head


def shape(head: HeadObjects, key: str = "Basis") -> np.ndarray:
    points = np.empty(3 * len(head.mesh.data.vertices), np.float32)
    head.keys.key_blocks[key].data.foreach_get("co", points)
    return points.reshape(-1, 3)


def place_of_bones(head: HeadObjects) -> np.ndarray:
    return np.array([b.head_local[:] for b in head.armature.data.bones])


def front_of(head: HeadObjects, bone: str) -> tuple[Vector, Vector]:
    """World place of an eye and where it looks, after constraints."""
    bpy.context.view_layer.update()
    evaluated = head.armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    matrix = evaluated.matrix_world @ evaluated.pose.bones[bone].matrix
    return matrix.translation, (matrix.to_3x3() @ Vector((0, 0, 1))).normalized()


# Identity


def test_a_stranger_and_back() -> None:
    head = open_head()
    basis, bones, smile = shape(head), place_of_bones(head), shape(head, "mouthSmileLeft")
    action = head.armature.animation_data.action
    randomise_identity(head, 7)
    stranger = shape(head)
    assert np.abs(stranger - basis).max() > 0.002 and not np.allclose(place_of_bones(head), bones)
    assert np.allclose(shape(head, "mouthSmileLeft") - stranger, smile - basis, atol=1e-6)
    wanted = OPEN.joint_regressor @ decode(OPEN, {"identity": identity_of(head, OPEN)[None]}).vertices[0]
    assert np.allclose(place_of_bones(head), np.stack([wanted[:, 0], -wanted[:, 2], wanted[:, 1]], 1), atol=2e-5)
    assert head.armature.animation_data.action == action
    symmetrise_identity(head)
    reset_identity(head)
    assert np.allclose(shape(head), basis, atol=2e-6) and np.allclose(place_of_bones(head), bones, atol=1e-6)


def test_likeness_keeps_some_of_the_face() -> None:
    head = open_head()
    own = captured_identity(head)
    randomise_identity(head, 3, likeness=1.0)
    assert np.allclose(identity_of(head, OPEN), own, atol=1e-6)
    randomise_identity(head, 3, likeness=0.5)
    half = identity_of(head, OPEN)
    randomise_identity(head, 3)
    assert np.allclose(half, (identity_of(head, OPEN) + own) / 2, atol=1e-5)


def test_both_sides_alike() -> None:
    head = open_head()
    symmetrise_identity(head)
    points = shape(head)
    assert np.abs(points - points[mirror_order(OPEN)] * [-1, 1, 1]).max() < 1e-5


def test_live_sliders_and_sculpting_stay() -> None:
    head = open_head()
    add_identity_keys(head, OPEN, 3)
    key = head.keys.key_blocks["mouthPucker"]
    key.data[10].co.x += 0.01
    before = shape(head, "mouthPucker")[10] - shape(head)[10]
    randomise_identity(head, 5)
    assert np.allclose(shape(head, "mouthPucker")[10] - shape(head)[10], before, atol=1e-6)
    sliders = [k for k in head.keys.key_blocks if k.name.startswith("identity_")]
    assert len(sliders) == 3
    assert np.allclose([k.value for k in sliders], identity_of(head, OPEN)[:3], atol=1e-5)


def test_too_many_coefficients() -> None:
    model = toy_head()
    head = HeadObjects.of(api.add_take(toy_take(model, 2), head=model).mesh)
    with pytest.raises(TakeError, match="4 identity components, not 9"):
        set_identity(head, np.zeros(9), model)


# Expressions


def arkit_now(head: HeadObjects) -> dict[str, float]:
    """The 52 weights of the pose that stands now."""
    blocks, bones = head.keys.key_blocks, head.armature.pose.bones

    def vector(name: str) -> list[float]:
        return list(bones[name].rotation_quaternion.normalized().to_exponential_map())

    groups = {
        "expression": np.array([[blocks[n].value for n in OPEN.expression_names]]),
        "eyelids": np.array([[blocks["eyeBlinkLeft"].value, blocks["eyeBlinkRight"].value]]),
        "jaw": np.array([vector("jaw")]),
        "eyes": np.array([[*vector("left_eye")[:2], *vector("right_eye")[:2]]]),
    }
    from smirk_core.heads.parameters import ARKIT_NAMES

    return dict(zip(ARKIT_NAMES, arkit_from_groups(OPEN, groups)[0].tolist(), strict=True))


@pytest.mark.parametrize("name", [p.name for p in PRESETS])
def test_every_preset_arrives(name: str) -> None:
    head = open_head(1)
    before = arkit_now(head)
    apply_preset(head, name)
    now, chosen = arkit_now(head), preset(name)
    gaze = any(n.startswith("eyeLook") for n in chosen.weights)
    for channel, value in now.items():
        if channel.startswith("eyeLook") and not gaze:
            assert value == pytest.approx(before[channel], abs=1e-5)
        elif chosen.kind == "expression" or channel.startswith(("jaw", "mouth", "tongue", "cheekPuff")):
            assert value == pytest.approx(chosen.weights.get(channel, 0.0), abs=1e-4), channel
        else:
            assert value == pytest.approx(before[channel], abs=1e-5)


def test_strength_and_keys() -> None:
    head = open_head()
    bpy.context.scene.frame_set(3)
    before = arkit_now(head)
    apply_preset(head, "laugh", strength=0.5)
    wanted = (before["mouthSmileLeft"] + preset("laugh").weights["mouthSmileLeft"]) / 2
    assert arkit_now(head)["mouthSmileLeft"] == pytest.approx(wanted, abs=1e-4)
    bpy.context.scene.frame_set(3)
    assert arkit_now(head)["mouthSmileLeft"] == pytest.approx(before["mouthSmileLeft"], abs=1e-4)  # not keyed: gone
    apply_preset(head, "laugh", insert_keys=True)
    bpy.context.scene.frame_set(4)
    after = arkit_now(head)
    bpy.context.scene.frame_set(3)
    assert arkit_now(head)["mouthSmileLeft"] == pytest.approx(preset("laugh").weights["mouthSmileLeft"], abs=1e-4)
    assert arkit_now(head)["jawOpen"] == pytest.approx(preset("laugh").weights["jawOpen"], abs=1e-4)
    assert after["jawOpen"] != pytest.approx(preset("laugh").weights["jawOpen"], abs=1e-3)


@pytest.mark.parametrize("side", ["average", "left", "right"])
def test_even_expression(side: str) -> None:
    head = open_head(1)
    apply_preset(head, "smirk")
    make_symmetric(head, side)
    now, smirk = arkit_now(head), preset("smirk").weights
    assert now["mouthSmileLeft"] == now["mouthSmileRight"]
    wanted = {"average": smirk["mouthSmileLeft"] / 2, "left": smirk["mouthSmileLeft"], "right": 0.0}[side]
    assert now["mouthSmileLeft"] == pytest.approx(wanted, abs=1e-5)
    assert now["mouthLeft"] == now["mouthRight"] == now["jawLeft"] == now["jawRight"] == 0


def test_heads_without_arkit_names_are_refused() -> None:
    model = toy_head(expression_names=tuple("abcdef"))
    head = HeadObjects.of(api.add_take(toy_take(model, 2), head=model).mesh)
    with pytest.raises(TakeError, match="no ARKit names"):
        apply_preset(head, "smile", model=model)
    with pytest.raises(TakeError, match="no left and right"):
        make_symmetric(head)


# Gaze


def test_eyes_look_at_the_target_while_the_head_turns() -> None:
    head = open_head(20)
    target = set_gaze(head)
    target.location = front_of(head, "neck")[0] + 0.6 * front_of(head, "neck")[1]
    bpy.context.view_layer.update()
    for eye in ("left_eye", "right_eye"):
        place, front = front_of(head, eye)
        assert front.angle(target.matrix_world.translation - place) < 1e-3
    lids = head.keys.key_blocks["corrective_left_eye_21"]
    target.location.z += 3.0  # far above: as far as eyes go, and the lids go along
    bpy.context.view_layer.update()
    _, front = front_of(head, "left_eye")
    neck = front_of(head, "neck")[1]
    assert front.angle(neck) == pytest.approx(OPEN.angles["eyeLookUp"], abs=0.02)
    assert lids.value == pytest.approx(-math.sin(OPEN.angles["eyeLookUp"]), abs=0.02)


def test_gaze_fades_and_comes_back() -> None:
    head = open_head(5)
    scene = bpy.context.scene
    scene.frame_set(3)
    before, lids = front_of(head, "left_eye")[1], head.keys.key_blocks["corrective_left_eye_21"].value
    expressions = {d.data_path: d.driver.expression for d in head.keys.animation_data.drivers}
    set_gaze(head)
    assert (front_of(head, "left_eye")[1] - before).length > 0.02
    head.armature[INFLUENCE] = 0.0
    head.armature.update_tag()  # scripts have to; the panel's slider does
    scene.frame_set(3)
    assert (front_of(head, "left_eye")[1] - before).length < 1e-5
    clear_gaze(head)
    scene.frame_set(3)
    assert (front_of(head, "left_eye")[1] - before).length < 1e-6
    assert head.keys.key_blocks["corrective_left_eye_21"].value == pytest.approx(lids, abs=1e-6)
    assert {d.data_path: d.driver.expression for d in head.keys.animation_data.drivers} == expressions
    assert not any("gaze" in o.name for o in bpy.data.objects) and not has_gaze(head)


def test_gaze_drivers_need_no_python() -> None:
    head = open_head(1)
    set_gaze(head)
    drivers = [*head.armature.animation_data.drivers, *head.keys.animation_data.drivers]
    assert drivers and all(d.driver.is_simple_expression for d in drivers)


def test_targets_come_and_go() -> None:
    head = open_head(1)
    camera = bpy.data.objects["clip perspective"]
    own = set_gaze(head)
    assert own.name.startswith("clip gaze")
    assert set_gaze(head, camera) == camera and gaze_target(head) == camera
    assert not any(o.name.startswith("clip gaze") for o in bpy.data.objects)  # nobody looks at ours any more
    camera.name = "other"
    assert gaze_target(head) == camera
    bpy.data.objects.remove(camera)
    assert has_gaze(head) and gaze_target(head) is None
    clear_gaze(head)
    assert not has_gaze(head)


# Look


def test_colours_go_together_and_live_in_the_materials() -> None:
    head = open_head(1)
    before = {n: colour_of(head.mesh, n) for n in ("Skin tone", "Lips", "Iris")}
    set_colour(head.mesh, "Skin tone", tuple(0.25 * c for c in before["Skin tone"]))
    assert colour_of(head.mesh, "Lips") == pytest.approx([0.25 * c for c in before["Lips"]])
    assert colour_of(head.mesh, "Iris") == before["Iris"]
    set_colour(head.mesh, "Skin tone", (0.0, 0.0, 0.0))
    set_colour(head.mesh, "Skin tone", before["Skin tone"])
    assert colour_of(head.mesh, "Flush")[0] > 0.1  # black has not swallowed it
    plain = {s.material.name: s.material.diffuse_color[:3] for s in head.mesh.material_slots}
    assert plain["clip skin"] == pytest.approx(before["Skin tone"])


# Texture from the photo


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A picture of the head itself, painted in a light skin on one half, a darker one on the other, and its take."""
    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    take = toy_take(OPEN, 1, info={"kind": "photo", "rate": 0.0, "source": str(path), "width": 400, "height": 400})
    still = {k: 0 * v for k, v in take.raw.items()} | {"camera": np.array([[1400.0, 199.5, 240.0]])}
    from dataclasses import replace

    take = replace(take, identity=0 * take.identity, raw=still, filtered=still)
    groups = {k: v[0] for k, v in take.parameters().items()}
    _, alpha = render_head(OPEN, groups, still["camera"][0], 400, 400, Look.clay())
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[:, :200], picture[:, 200:] = (200, 150, 130), (172, 127, 110)
    picture[alpha < 0.5] = 0
    Image.fromarray(picture).save(path)
    return path, take


def test_the_photo_gets_onto_the_skin_and_off_again(portrait: tuple[Path, Any]) -> None:
    _, take = portrait
    made = api.add_take(take, head="open")
    head = HeadObjects.of(made.mesh)
    assert head is not None
    skin = made.mesh.material_slots[0].material
    before = skin.node_tree.nodes["Principled BSDF"].inputs["Base Color"].links[0].from_node.name
    tone = colour_of(made.mesh, "Skin tone")
    image = add_photo_texture(head, made.action, size=256, mirror=False, light=0.0, glare=False)
    assert has_photo_texture(made.mesh) and image.packed_file is not None
    pixels = np.array(image.pixels[:]).reshape(256, 256, 4)
    cheeks = np.flatnonzero(OPEN.regions["cheeks"])
    uv = np.zeros((len(OPEN.template), 2))
    corner = OPEN.polygons >= 0
    uv[OPEN.polygons[corner]] = OPEN.uvs[OPEN.polygon_uvs[corner]]
    found = pixels[np.rint(uv[cheeks, 1] * 255).astype(int), np.rint(uv[cheeks, 0] * 255).astype(int), :3]
    x = OPEN.template[cheeks, 0]
    left, right = found[(x > 0.01) & (x < 0.045)], found[(x < -0.01) & (x > -0.045)]
    assert len(left) > 10 and len(right) > 10
    # The light half is the left one of the picture, the subject's right.
    light, dark = np.array([200, 150, 130]) / 255, np.array([172, 127, 110]) / 255
    assert (np.abs(right - light).max(axis=1) < 0.03).mean() > 0.8
    assert (np.abs(left - dark).max(axis=1) < 0.03).mean() > 0.8
    remove_photo_texture(head)
    socket = skin.node_tree.nodes["Principled BSDF"].inputs["Base Color"]
    assert socket.links[0].from_node.name == before and not has_photo_texture(made.mesh)
    assert colour_of(made.mesh, "Skin tone") == pytest.approx(tone, abs=1e-6)
    assert "clip skin" not in bpy.data.images and not len([i for i in bpy.data.images if i.name.endswith(" skin")])


def test_without_footage_nothing_changes() -> None:
    head = open_head(1, kind="photo")
    action = head.armature.animation_data.action
    with pytest.raises(MediaError):
        add_photo_texture(head, action)
    assert not has_photo_texture(head.mesh)


# Buttons


def test_the_buttons(addon: None, portrait: tuple[Path, Any]) -> None:
    made = api.add_take(portrait[1], head="open")
    bpy.context.view_layer.objects.active = made.mesh
    settings = made.mesh.smirk_head
    settings.skin = (0.1, 0.05, 0.03)
    assert colour_of(made.mesh, "Skin tone") == pytest.approx((0.1, 0.05, 0.03))
    assert tuple(made.armature.smirk_head.skin) == pytest.approx((0.1, 0.05, 0.03))
    settings.roughness = 0.7
    assert settings.roughness == pytest.approx(0.7)
    done = {"FINISHED"}
    assert bpy.ops.smirk.random_face(seed=4) == done
    assert bpy.ops.smirk.symmetrise_face(strength=0.5) == done
    assert bpy.ops.smirk.identity_sliders(count=3) == done and "identity_003" in made.mesh.data.shape_keys.key_blocks
    assert bpy.ops.smirk.bake_identity() == done and "identity_003" not in made.mesh.data.shape_keys.key_blocks
    assert not bpy.ops.smirk.bake_identity.poll()
    assert bpy.ops.smirk.reset_face() == done
    assert bpy.ops.smirk.apply_preset(preset="surprise", strength=1.0, insert_keys=True) == done
    assert bpy.ops.smirk.even_expression(side="left") == done
    assert not bpy.ops.smirk.clear_gaze.poll()
    assert bpy.ops.smirk.set_gaze(kind="EMPTY") == done and bpy.ops.smirk.set_gaze(kind="CAMERA") == done
    assert bpy.ops.smirk.clear_gaze() == done
    with pytest.raises(RuntimeError, match="Select one object"):
        for obj in bpy.context.selected_objects:
            obj.select_set(False)
        bpy.ops.smirk.set_gaze(kind="SELECTED")
    assert bpy.ops.smirk.photo_texture(size="512") == done and bpy.ops.smirk.remove_texture() == done
    assert not bpy.ops.smirk.remove_texture.poll()


def test_buttons_say_why_not(addon: None) -> None:
    assert not bpy.ops.smirk.random_face.poll() and not bpy.ops.smirk.apply_preset.poll()


def test_a_head_survives_renaming_saving_and_loading(addon: None, tmp_path: Path) -> None:
    head = open_head(2)
    set_gaze(head)
    head.mesh.name, head.armature.name = "Someone", "Bones"
    randomise_identity(head, 2)
    path = str(tmp_path / "a.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    head = HeadObjects.of(bpy.data.objects["Someone"])
    assert head is not None and has_gaze(head)
    reset_identity(head)
    take = toy_take(OPEN, 2, smooth=True, info={"source": "clip.mp4"})
    assert np.allclose(identity_of(head, OPEN)[: len(take.identity)], take.identity, atol=1e-6)
    clear_gaze(head)


# FLAME


@pytest.fixture
def flame_head(flame_file: Path) -> HeadObjects:
    from smirk_core.heads.flame import load_flame

    model = load_flame(flame_file)
    take = toy_take(model, 4, smooth=True, info={"source": "clip.mp4"})
    groups = {k: 0.1 * v if k == "expression" else v for k, v in take.filtered.items()}
    made = api.add_take(take.with_filtered(groups, ()), head=model)
    head = HeadObjects.of(made.mesh)
    assert head is not None
    return head


def test_a_flame_head_by_hand(flame_head: HeadObjects) -> None:
    model = api.model_of(flame_head)
    bpy.context.scene.frame_set(3)
    before, lids = front_of(flame_head, "left_eye"), shape(flame_head)
    target = set_gaze(flame_head)
    bpy.context.view_layer.update()
    for eye in ("left_eye", "right_eye"):
        place, front = front_of(flame_head, eye)
        assert front.angle(target.matrix_world.translation - place) < 2e-3
    clear_gaze(flame_head)
    bpy.context.scene.frame_set(3)
    assert (front_of(flame_head, "left_eye")[1] - before[1]).length < 1e-6
    own = identity_of(flame_head, model)
    randomise_identity(flame_head, 1)
    assert np.abs(identity_of(flame_head, model) - own).max() > 0.5
    reset_identity(flame_head)
    assert np.allclose(shape(flame_head), lids, atol=3e-6)
    with pytest.raises(TakeError, match="no ARKit names"):
        apply_preset(flame_head, "smile")
    set_colour(flame_head.mesh, "Skin tone", (0.2, 0.1, 0.08))
    assert colour_of(flame_head.mesh, "Skin tone") == pytest.approx((0.2, 0.1, 0.08))


def test_the_frame_of_a_film_that_a_row_was_made_on(tmp_path: Path) -> None:
    from media import write_clip

    from blender_smirk.photo_texture import picture_at

    path = write_clip(tmp_path / "clip.mp4", times=[0.0, 0.05, 0.2, 0.4, 0.45, 0.5], sound=False)
    take = toy_take(OPEN, 3, times=np.array([0.05, 0.4, 0.5]), info={"source": str(path), "rate": 30.0})
    greys = [picture_at(take, row).mean() for row in range(3)]
    # the clip's frames get brighter by a sixth each: rows lie on its frames 1, 3 and 5
    assert np.allclose(np.array(greys) / 255 * 6, [1, 3, 5], atol=0.35)


def test_a_copy_of_a_head_looks_where_it_likes() -> None:
    head = open_head(3)
    set_gaze(head)
    for obj in bpy.context.selected_objects:
        obj.select_set(False)
    for obj in (head.armature, head.mesh):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = head.armature
    bpy.ops.object.duplicate()
    twin = HeadObjects.of(bpy.context.view_layer.objects.active)
    assert twin is not None and twin.armature != head.armature and has_gaze(twin)
    twin.armature[INFLUENCE] = 0.0
    twin.armature.update_tag()
    bpy.context.scene.frame_set(2)
    assert (front_of(head, "left_eye")[1] - front_of(twin, "left_eye")[1]).length > 0.01
    clear_gaze(twin)
    assert has_gaze(head) and gaze_target(head) is not None  # the original still needs the empty
    apply_preset(twin, "surprise")
    assert twin.keys != head.keys
    assert head.keys.key_blocks["eyeWideLeft"].value != twin.keys.key_blocks["eyeWideLeft"].value
    randomise_identity(twin, 5)
    assert not np.allclose(shape(twin), shape(head))
    bpy.data.objects.remove(head.armature)
    reset_identity(twin)


def test_a_linked_head_is_left_alone(addon: None, tmp_path: Path) -> None:
    open_head(2)
    path = str(tmp_path / "lib.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(path, link=True) as (there, here):
        here.objects = [n for n in there.objects if n in ("clip", "clip rig")]
    for obj in here.objects:
        bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = bpy.data.objects["clip"]
    for name in ("random_face", "apply_preset", "set_gaze", "photo_texture", "identity_sliders", "match_character"):
        assert not getattr(bpy.ops.smirk, name).poll(), name
    assert bpy.ops.smirk.export_take.poll()  # reading is allowed
    assert bpy.ops.smirk.export_take(filepath=str(tmp_path / "x.take.npz")) == {"FINISHED"}
    assert tuple(bpy.data.objects["clip"].smirk_head.skin) == pytest.approx(
        colour_of(bpy.data.objects["clip"], "Skin tone")
    )
