# SPDX-License-Identifier: Apache-2.0
"""Live identity: sliders for whose face it is, joints included, made and baked at any time without moving anything."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from checks import TOLERANCE, evaluated, shown
from toy import toy_head, toy_take

from blender_smirk.actions import apply_action, write_action
from blender_smirk.eyelids import set_lids
from blender_smirk.key_names import names_of
from blender_smirk.rig import HeadObjects, add_identity_keys, bake_identity, build_head, identity_of, model_of
from blender_smirk.shape_keys import to_blender
from smirk_core.errors import SmirkError, TakeError
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take


def perform(model: HeadModel, take: Take, identity: np.ndarray, **options: object) -> HeadObjects:
    head = build_head(model, identity, "Head", **options)  # pyright: ignore[reportArgumentType]
    apply_action(write_action(take, model, head, "Take", rate=25), head.armature, head.keys)
    return head


def worst(model: HeadModel, take: Take, head: HeadObjects, identity: np.ndarray) -> float:
    """The largest distance to the decode of ``take`` with another identity, over all its frames."""
    groups = take.parameters() | {"identity": np.broadcast_to(identity, (len(take), len(identity)))}
    truth = to_blender(decode(model, groups).vertices)
    return max(float(np.abs(evaluated(head, 1 + i) - truth[i]).max()) for i in range(len(take)))


@pytest.mark.parametrize("follow", [False, True])
def test_live_sliders_move_mesh_and_joints(follow: bool) -> None:
    model = toy_head(2, joints_follow_expression=follow)
    take = toy_take(model, 8)
    start = np.array([1.5, -2.0, 0.7, 0.3])
    head = perform(model, take, start, identity_keys="all")
    assert worst(model, take, head, start) <= TOLERANCE
    other = np.array([-2.5, 3.0, -0.5, 1.0])
    for name, value in zip(names_of(head.mesh, model).identity, other, strict=True):
        head.keys.key_blocks[name].value = value
    assert worst(model, take, head, other) <= TOLERANCE
    assert worst(model, take, head, start) > 100 * TOLERANCE
    assert np.allclose(identity_of(head, model), other, atol=1e-6)
    # The joints have moved: with the bones of the first face the turned head would be elsewhere.
    joints = [decode(model, {"identity": face[None]}).rest_joints[0] for face in (start, other)]
    assert np.abs(joints[0] - joints[1]).max() > 1e-3


def test_more_and_fewer_components_later() -> None:
    model = toy_head(3)
    take = toy_take(model, 6)
    face = np.array([1.5, -12.0, 0.7, 0.3])  # the second is beyond what a slider reaches
    head = perform(model, take, face)
    before = [key.name for key in head.keys.key_blocks]
    for count, live in ((2, 2), (1, 2), (4, 4)):
        add_identity_keys(head, model, count)
        assert len(head.keys.key_blocks) == len(before) + live
        assert worst(model, take, head, face) <= TOLERANCE
        assert np.allclose(identity_of(head, model), face, atol=1e-6)
    names = names_of(head.mesh, model).identity
    assert head.keys.key_blocks[names[1]].value == -10.0
    head.keys.key_blocks[names[2]].value = face[2] = -3.0
    bake_identity(head, model)
    assert [key.name for key in head.keys.key_blocks] == before
    assert worst(model, take, head, face) <= TOLERANCE
    assert not any(bone.constraints for bone in head.armature.pose.bones)
    joints = to_blender(decode(model, {"identity": face[None]}).rest_joints[0])
    for name, joint in zip(model.joint_names, joints, strict=True):
        assert np.allclose(head.armature.data.bones[name].head_local, joint, atol=1e-6)


def test_sculpted_keys_survive() -> None:
    model = toy_head()
    head = build_head(model, np.array([1.0, 0.5]), "Head")
    smile = head.keys.key_blocks["mouthSmileLeft"]
    smile.data[7].co.x += 0.01
    offset = np.array(smile.data[7].co) - np.array(head.keys.key_blocks[0].data[7].co)
    add_identity_keys(head, model)
    head.keys.key_blocks["identity_003"].value = 2.0
    bake_identity(head, model)
    assert np.allclose(np.array(smile.data[7].co) - np.array(head.keys.key_blocks[0].data[7].co), offset, atol=1e-7)


def test_drivers_need_no_scripts() -> None:
    model = toy_head(joints_follow_expression=True)
    head = build_head(model, np.zeros(0), "Head", identity_keys="all")
    drivers = head.armature.animation_data.drivers
    assert {d.data_path.split('"')[1] for d in drivers} == {*model.joint_names, "smirk_sliders"}
    assert all(d.driver.is_simple_expression and d.driver.is_valid for d in drivers)


def test_hidden_and_inactive_heads_too() -> None:
    model = toy_head()
    head = build_head(model, np.zeros(0), "Head")
    other = build_head(model, np.zeros(0), "Other")
    bpy.context.view_layer.objects.active = other.mesh
    head.armature.hide_set(True)
    add_identity_keys(head, model, 2)
    assert head.armature.hide_get()
    assert bpy.context.view_layer.objects.active == other.mesh


def test_a_head_whose_collection_is_off_stays_as_it_is() -> None:
    model = toy_head()
    collection = bpy.data.collections.new("Heads")
    bpy.context.scene.collection.children.link(collection)
    head = build_head(model, np.ones(4), "Head", collection)
    keys = [key.name for key in head.keys.key_blocks]
    basis = np.array([point.co for point in head.keys.key_blocks[0].data])
    bpy.context.view_layer.layer_collection.children["Heads"].exclude = True
    with pytest.raises(SmirkError, match="cannot be edited"):
        add_identity_keys(head, model, 2)
    assert [key.name for key in head.keys.key_blocks] == keys
    assert np.allclose([point.co for point in head.keys.key_blocks[0].data], basis)
    assert identity_of(head, model).tolist() == [1.0] * 4


@pytest.mark.parametrize("choice", [5, -1])
def test_components_that_a_head_has_not(choice: int) -> None:
    with pytest.raises(TakeError, match="4 identity components"):
        build_head(toy_head(), np.zeros(0), "Head", identity_keys=choice)
    assert not len(bpy.data.objects)


def test_names_of_flame_add_ons() -> None:
    model = toy_head(joints_follow_expression=True)
    take = toy_take(model, 5)
    head = perform(model, take, take.identity, names="flame", identity_keys=2)
    poses = [f"Pose{feature + 1}" for feature in model.corrective_features.tolist()]
    expected = ["Shape1", "Shape2", *(f"Exp{i}" for i in range(1, 7)), "eyeBlinkLeft", "eyeBlinkRight", *poses]
    assert [key.name for key in head.keys.key_blocks][1:] == expected
    assert worst(model, take, head, take.identity) <= TOLERANCE


@pytest.mark.parametrize("faithful", [True, False])
def test_eyelids_in_both_ways(faithful: bool) -> None:
    model = toy_head(eyelids_after_skinning=faithful)
    take = toy_take(model, 8)
    head = perform(model, take, take.identity)
    assert worst(model, take, head, take.identity) <= TOLERANCE
    wrong = toy_head(eyelids_after_skinning=not faithful)
    assert worst(wrong, take, head, take.identity) > 100 * TOLERANCE
    assert len(shown(head)) == len(model.template)
    set_lids(head, model, not faithful)
    assert worst(wrong, take, head, take.identity) <= TOLERANCE
    assert model_of(head).eyelids_after_skinning == (not faithful)
    set_lids(head, model, faithful)
    assert worst(model, take, head, take.identity) <= TOLERANCE
