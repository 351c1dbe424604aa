# SPDX-License-Identifier: Apache-2.0
"""What an animator finds: names, ranges, bones, drivers, UVs, and two heads side by side."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from toy import toy_head

from blender_smirk.key_names import corrective_names
from blender_smirk.rig import HEAD_PROPERTY, HeadObjects, build_head
from smirk_core.errors import TakeError

NO_IDENTITY = np.zeros(0)


def test_keys_have_names_and_ranges() -> None:
    model = toy_head(expression_range=(-3.0, 3.0))
    head = build_head(model, NO_IDENTITY, "Head")
    blocks = head.keys.key_blocks
    names = ["Basis", *model.expression_names, "eyeBlinkLeft", "eyeBlinkRight", *corrective_names(model)]
    assert [b.name for b in blocks] == names
    for name in model.expression_names:
        assert (blocks[name].slider_min, blocks[name].slider_max) == (-3.0, 3.0)
    assert (blocks["eyeBlinkLeft"].slider_min, blocks["eyeBlinkLeft"].slider_max) == (0.0, 1.0)
    assert all(b.value == 0 for b in blocks[1:])


def test_correctives_need_no_scripts() -> None:
    model = toy_head()
    head = build_head(model, NO_IDENTITY, "Head")
    drivers = head.keys.animation_data.drivers
    assert len(drivers) == len(model.corrective_features)
    assert all(d.driver.is_simple_expression for d in drivers)
    assert all(d.driver.is_valid for d in drivers)


def test_correctives_survive_a_zero_quaternion() -> None:
    head = build_head(toy_head(), NO_IDENTITY, "Head")
    head.armature.pose.bones["jaw"].rotation_quaternion = (0, 0, 0, 0)
    bpy.context.view_layer.update()
    values = [b.value for b in head.keys.key_blocks][1:]
    assert values == [0.0] * len(values)


def test_bones_rest_at_the_joints_of_the_identity() -> None:
    model = toy_head()
    identity = np.array([2.0, -1.0, 0.5, 1.5])
    head = build_head(model, identity, "Head")
    vertices = model.template + np.tensordot(identity, model.identity_basis, axes=1)
    joints = model.joint_regressor @ vertices
    axes = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    for name, joint, parent in zip(model.joint_names, joints, model.joint_parents, strict=True):
        bone = head.armature.data.bones[name]
        assert np.allclose(bone.head_local, (joint[0], -joint[2], joint[1]), atol=1e-6)
        assert np.allclose(np.array(bone.matrix_local)[:3, :3], axes, atol=1e-7)
        assert bone.parent is None if parent < 0 else bone.parent.name == model.joint_names[parent]
        assert head.armature.pose.bones[name].rotation_mode == "QUATERNION"


def test_mesh_keeps_polygons_materials_uvs_and_weights() -> None:
    model = toy_head()
    head = build_head(model, NO_IDENTITY, "Head")
    mesh = head.mesh.data
    assert [list(p.vertices) for p in mesh.polygons] == [[i for i in p if i >= 0] for p in model.polygons.tolist()]
    assert [p.material_index for p in mesh.polygons] == model.polygon_materials.tolist()
    corners = model.polygons >= 0
    uvs = np.array([u.vector for u in mesh.uv_layers["UVMap"].uv])
    assert np.allclose(uvs, model.uvs[model.polygon_uvs[corners]])
    assert not mesh.validate(verbose=False)
    weights = np.zeros_like(model.skinning_weights)
    for vertex in mesh.vertices:
        for group in vertex.groups:
            weights[vertex.index, group.group] = group.weight
    assert np.allclose(weights, model.skinning_weights, atol=1e-7)
    assert all(p.use_smooth for p in mesh.polygons)


def test_a_head_is_found_from_either_object() -> None:
    head = build_head(toy_head(), NO_IDENTITY, "Head")
    other = build_head(toy_head(), NO_IDENTITY, "Head")
    assert HeadObjects.of(head.mesh) == head == HeadObjects.of(head.armature)
    assert HeadObjects.of(other.mesh) == other != head
    assert head.armature[HEAD_PROPERTY] == "toy-1"
    empty = bpy.data.objects.new("Empty", None)
    assert HeadObjects.of(empty) is None


def test_building_leaves_another_objects_edit_mode() -> None:
    first = build_head(toy_head(), NO_IDENTITY, "Head")
    bpy.context.view_layer.objects.active = first.mesh
    bpy.ops.object.mode_set(mode="EDIT")
    build_head(toy_head(), NO_IDENTITY, "Head")
    assert first.mesh.mode == "OBJECT"


def test_an_identity_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TakeError, match="5 identity coefficients"):
        build_head(toy_head(), np.zeros(5), "Head")
    assert not len(bpy.data.objects)
