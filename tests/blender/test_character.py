# SPDX-License-Identifier: Apache-2.0
"""A take on other characters: keys by name, bones in their own frames, what was there before kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector
from toy import toy_head, toy_take

import blender_smirk
from blender_smirk import api, registration
from blender_smirk.properties.character import read_links
from blender_smirk.retarget import apply_to_character, find_bones
from smirk_core.errors import TakeError
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.heads.rotation import matrix_from_rotvec
from smirk_core.retarget.mapping import KeyMap, Link
from smirk_core.retarget.performance import performance_of

MODEL = toy_head()
HEAD_TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)


@pytest.fixture
def addon() -> Iterator[None]:
    blender_smirk.register()
    yield
    if registration._registered:
        blender_smirk.unregister()


@pytest.fixture(autouse=True)
def rate(empty_scene: None) -> None:
    """The takes' own rate, so that their keys sit on whole frames."""
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0


def character(names: list[str], name: str = "Hero") -> Any:
    """A plane with shape keys that lift it, each by another amount."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    mesh = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(mesh)
    mesh.shape_key_add(name="Basis")
    for key in names:
        block = mesh.shape_key_add(name=key)
        block.data[0].co.z = 1.0
        block.value = 0.0  # a new key stands at 1 in Blender 5.2
    return mesh


def skeleton(mesh: Any, turn: Matrix | None = None, names: tuple[str, ...] = ("Head", "Jaw", "Eye.L", "Eye.R")) -> Any:
    """Bones that point in all directions, in an armature whose own axes may be turned; in the world it looks at -y."""
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    turn = Matrix.Identity(3) if turn is None else turn
    armature.matrix_world = turn.to_4x4()
    inverse = turn.inverted()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    places = [(0, 0, 1.6), (0, -0.05, 1.6), (0.03, -0.1, 1.7), (-0.03, -0.1, 1.7)]
    tails = [(0, 0.02, 0.2), (0, -0.1, -0.03), (0.01, -0.05, 0), (0, -0.05, 0.01)]
    spine = armature.data.edit_bones.new("Spine")
    spine.head, spine.tail = inverse @ Vector((0, 0, 1)), inverse @ Vector((0, 0, 1.5))
    for number, (name, place, tail) in enumerate(zip(names, places, tails, strict=True)):
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = inverse @ Vector(place), inverse @ (Vector(place) + Vector(tail))
        bone.roll = 0.4 * number
        bone.parent = armature.data.edit_bones[names[0]] if number else spine
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh.modifiers.new("Armature", "ARMATURE").object = armature
    return armature


def value_at(mesh: Any, key: str, frame: float) -> float:
    bpy.context.scene.frame_set(math.floor(frame), subframe=frame % 1)
    return mesh.data.shape_keys.key_blocks[key].value


def turned_by(armature: Any, bone: str) -> np.ndarray:
    """(3, 3) how a bone has turned in the world."""
    pose = armature.pose.bones[bone]
    rest = armature.matrix_world @ pose.bone.matrix_local
    now = armature.matrix_world @ pose.matrix
    return np.array(now.to_3x3().normalized() @ rest.to_3x3().normalized().inverted())


def test_keys_get_the_weights_of_the_take() -> None:
    take = toy_take(MODEL, 12)
    mesh = character(["EyeBlink_L", "MOUTHSMILERIGHT", "jaw_open", "Smoke"])
    report = apply_to_character(mesh, take, model=MODEL, start=5)
    assert report.moved == ("EyeBlink_L", "jaw_open", "MOUTHSMILERIGHT") and not report.bones
    weights = performance_of(take, MODEL).weights
    for key, channel in (
        ("EyeBlink_L", "eyeBlinkLeft"),
        ("MOUTHSMILERIGHT", "mouthSmileRight"),
        ("jaw_open", "jawOpen"),
    ):
        wanted = weights[7, ARKIT_NAMES.index(channel)]
        assert value_at(mesh, key, 12) == pytest.approx(wanted, abs=1e-5)
    assert value_at(mesh, "Smoke", 12) == 0


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZYX", "YXZ", "AXIS_ANGLE"])
@pytest.mark.parametrize("data_up", ["z", "y"])
def test_the_character_turns_as_the_head_does(mode: str, data_up: str) -> None:
    take = toy_take(MODEL, 6, smooth=True)
    mesh = character(["jawOpen"])
    # A file with y up comes in turned by a quarter about x.
    armature = skeleton(mesh, Matrix.Rotation(math.pi / 2, 3, "X") if data_up == "y" else None)
    for bone in armature.pose.bones:
        bone.rotation_mode = mode
    report = apply_to_character(mesh, take, model=MODEL, start=1)
    assert set(report.bones) == {"Head", "Jaw", "Eye.L", "Eye.R"}
    groups = take.filtered
    for frame in (1, 4, 6):
        bpy.context.scene.frame_set(frame)
        row = frame - 1
        root, neck, jaw = (matrix_from_rotvec(groups[g][row]) for g in ("rotation", "neck", "jaw"))
        eye = matrix_from_rotvec(np.append(groups["eyes"][row, :2], 0.0))
        head = root @ neck
        for bone, wanted in (("Head", head), ("Jaw", head @ jaw), ("Eye.L", head @ eye)):
            in_world = HEAD_TO_BLENDER @ wanted @ HEAD_TO_BLENDER.T
            assert np.allclose(turned_by(armature, bone), in_world, atol=1e-4), bone


def test_a_turn_comes_on_top_of_the_body() -> None:
    take = toy_take(MODEL, 1, info={"kind": "photo"})
    mesh = character(["jawOpen"])
    armature = skeleton(mesh)
    armature.pose.bones["Spine"].rotation_mode = "QUATERNION"
    armature.pose.bones["Spine"].rotation_quaternion = Matrix.Rotation(0.7, 3, "X").to_quaternion()
    apply_to_character(mesh, take, model=MODEL, bones={"head": "Head"})
    bpy.context.scene.frame_set(bpy.context.scene.frame_start)
    body = turned_by(armature, "Spine")
    head = matrix_from_rotvec(take.filtered["rotation"][0]) @ matrix_from_rotvec(take.filtered["neck"][0])
    assert np.allclose(turned_by(armature, "Head"), body @ HEAD_TO_BLENDER @ head @ HEAD_TO_BLENDER.T, atol=1e-4)


def test_gain_none_and_mirror() -> None:
    take = toy_take(MODEL, 3)
    mesh = character(["jawLeft", "jawRight"])
    armature = skeleton(mesh)
    apply_to_character(mesh, take, model=MODEL, start=1, gains={"head": 0.0}, mirror=True)
    bpy.context.scene.frame_set(2)
    assert np.allclose(turned_by(armature, "Head"), np.eye(3), atol=1e-5)
    weights = performance_of(take, MODEL).weights
    keys = mesh.data.shape_keys.key_blocks
    assert keys["jawLeft"].value == pytest.approx(weights[1, ARKIT_NAMES.index("jawRight")], abs=1e-5)


def test_what_the_character_did_before_goes_on_below() -> None:
    take = toy_take(MODEL, 8)
    mesh = character(["jawOpen", "Breath"])
    armature = skeleton(mesh)
    armature.keyframe_insert("location", frame=1)
    armature.location.x = 2.0
    armature.keyframe_insert("location", frame=11)
    breath = mesh.data.shape_keys.key_blocks["Breath"]
    breath.value = 0.5
    breath.keyframe_insert("value", frame=1)
    body = armature.animation_data.action.name
    for _ in range(2):  # the second time our own action is simply replaced
        report = apply_to_character(mesh, take, model=MODEL, start=1)
    assert not report.kept and len(armature.animation_data.nla_tracks) == 1
    assert armature.animation_data.nla_tracks[0].strips[0].action.name == body
    bpy.context.scene.frame_set(11)
    assert armature.matrix_world.translation.x == pytest.approx(2.0)
    assert value_at(mesh, "Breath", 3) == pytest.approx(0.5)
    weights = performance_of(take, MODEL).weights
    assert value_at(mesh, "jawOpen", 4) == pytest.approx(weights[3, ARKIT_NAMES.index("jawOpen")], abs=1e-5)


def test_several_meshes_one_action() -> None:
    take = toy_take(MODEL, 4)
    face, teeth = character(["jawOpen", "cheekPuff"]), character(["jawOpen"], "Teeth")
    twin = bpy.data.objects.new("Twin", face.data)
    report = apply_to_character([face, teeth, twin], take, model=MODEL, start=1)
    assert len(report.action.slots) == 2
    assert value_at(face, "jawOpen", 3) == value_at(teeth, "jawOpen", 3) != 0


def test_gains_and_sliders_of_the_table() -> None:
    take = toy_take(MODEL, 5)
    mesh = character(['say "A"\\B'])
    table = KeyMap((Link("jawOpen", 'say "A"\\B', 4.0, -0.5), Link("jawLeft", "gone")))
    report = apply_to_character(mesh, take, model=MODEL, keys=table, start=1)
    assert report.absent == ("gone",)
    wanted = 4.0 * performance_of(take, MODEL).weights[:, ARKIT_NAMES.index("jawOpen")] - 0.5
    for row in range(5):
        assert value_at(mesh, 'say "A"\\B', row + 1) == pytest.approx(wanted[row], abs=1e-5)


def test_keys_with_drivers_are_left_alone() -> None:
    mesh = character(["jawOpen", "cheekPuff"])
    mesh.data.shape_keys.key_blocks["cheekPuff"].driver_add("value").driver.expression = "0.25"
    report = apply_to_character(mesh, toy_take(MODEL, 3), model=MODEL)
    assert report.driven == ("cheekPuff",) and report.moved == ("jawOpen",)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"expression_names": tuple("abcdef")}, "no ARKit names"), ({"name": "other"}, "was made with the head")],
)
def test_takes_without_arkit_names_are_refused(change: dict[str, Any], words: str) -> None:
    mesh = character(["jawOpen"])
    before = len(bpy.data.actions)
    with pytest.raises(TakeError, match=words):
        apply_to_character(mesh, toy_take(MODEL, 3), model=toy_head(**change))
    assert len(bpy.data.actions) == before


def test_nothing_that_fits_changes_nothing() -> None:
    take = toy_take(MODEL, 3)
    with pytest.raises(TakeError, match="fits"):
        apply_to_character(character(["Smoke"]), take, model=MODEL)
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    with pytest.raises(TakeError, match="no shape keys"):
        apply_to_character(cube, take, model=MODEL)
    mesh = character(["jawOpen"], "Other")
    armature = skeleton(mesh)
    with pytest.raises(TakeError, match="no bone 'Nose'"):
        apply_to_character(mesh, take, model=MODEL, armature=armature, bones={"head": "Nose"})
    assert not len(bpy.data.actions)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("Head", "Jaw", "Eye.L", "Eye.R"), 4),
        (("mixamorig:Head", "mixamorig:Jaw", "mixamorig:LeftEye", "mixamorig:RightEye"), 4),
        (("J_Bip_C_Head", "jaw_root", "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"), 4),
        (("c_head.x", "c_jawbone.x", "c_eye.l", "c_eye.r"), 4),
        (("forehead", "beard", "eyelash.L", "eyebrow.R"), 0),
    ],
)
def test_bones_by_name(names: tuple[str, str, str, str], wanted: int) -> None:
    armature = skeleton(character(["a"]), names=names)
    found = find_bones(armature)
    assert len(found) == wanted
    if wanted:
        assert tuple(found[p] for p in ("head", "jaw", "left_eye", "right_eye")) == names


def test_the_buttons(addon: None, tmp_path: Path) -> None:
    head = api.add_take(_open_take(6), head="open", frame_start=3)
    mesh = character(["eyeBlinkLeft", "jawOpen", "Smoke"])
    bpy.context.view_layer.objects.active = mesh
    assert bpy.ops.smirk.match_character() == {"FINISHED"}
    settings = mesh.smirk_character
    assert [r.source for r in settings.links] == ["eyeBlinkLeft", "jawOpen"]
    settings.links[1].gain = 2.0
    assert bpy.ops.smirk.apply_character() == {"FINISHED"}
    frames = mesh.data.shape_keys.animation_data.action.frame_range
    assert tuple(frames) == tuple(head.action.frame_range)
    key = head.mesh.data.shape_keys.key_blocks["eyeBlinkLeft"]
    assert value_at(mesh, "eyeBlinkLeft", 5) == pytest.approx(key.value, abs=1e-5)

    path = tmp_path / "hero.json"
    assert bpy.ops.smirk.save_channels(filepath=str(path)) == {"FINISHED"}
    saved = read_links(settings)
    assert bpy.ops.smirk.remove_channel() == {"FINISHED"}
    assert bpy.ops.smirk.add_channel() == {"FINISHED"} and len(settings.links) == 2
    assert bpy.ops.smirk.load_channels(filepath=str(path)) == {"FINISHED"}
    assert read_links(settings) == saved
    path.write_text("{}")
    with pytest.raises(RuntimeError, match="not a table"):
        bpy.ops.smirk.load_channels(filepath=str(path))
    copy = mesh.copy()
    assert len(copy.smirk_character.links) == 2


def test_buttons_say_why_not(addon: None) -> None:
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.smirk.match_character.poll()
    mesh = character(["jawOpen"])
    bpy.context.view_layer.objects.active = mesh
    assert bpy.ops.smirk.match_character.poll() and not bpy.ops.smirk.apply_character.poll()
    head = api.add_take(_open_take(3))
    bpy.context.view_layer.objects.active = head.mesh
    assert not bpy.ops.smirk.match_character.poll()  # a captured head is no other character


def _open_take(count: int) -> Any:
    from smirk_core.heads.library import load_head

    return toy_take(load_head(), count, smooth=True, info={"source": "clip.mp4"})
