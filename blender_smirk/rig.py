# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model as Blender objects: mesh, shape keys and an armature that deform exactly as ``smirk_core`` decodes.

Convention: head space (x, y, z) is Blender's (x, -z, y). Every bone rests upright, its local axes *are* head space
(local +x to the subject's left, +y up along the bone, +z out of the face), so that ``rotation_quaternion`` is the
head-space quaternion of the take without any change: a jaw turned by 0.3 rad about +x reads
(0.98877, 0.14944, 0, 0) on the pose bone ``jaw``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES

from .correctives import add_corrective_keys
from .shape_keys import add_key, to_blender

__all__ = [
    "DIGEST_PROPERTY",
    "HEAD_PROPERTY",
    "HeadObjects",
    "build_head",
    "eyelid_names",
    "rest_shape",
]

Floats = npt.NDArray[np.floating[Any]]
HEAD_PROPERTY = "smirk_head"  # custom property: which head model the objects were built from
DIGEST_PROPERTY = "smirk_digest"
_BONE_LENGTH = {"root": 0.05, "neck": 0.08, "jaw": 0.03, "left_eye": 0.015, "right_eye": 0.015}


@dataclass(frozen=True)
class HeadObjects:
    """The two objects that make a head.

    Attributes:
        armature: object with the bones root, neck, jaw, left_eye, right_eye; its location carries the head.
        mesh: the skin, child of the armature, with all shape keys.
    """

    armature: bpy.types.Object
    mesh: bpy.types.Object

    @property
    def keys(self) -> bpy.types.Key:
        """The shape keys of the mesh."""
        return self.mesh.data.shape_keys

    @staticmethod
    def of(obj: bpy.types.Object) -> HeadObjects | None:
        """The head that ``obj`` (its armature or its mesh) belongs to, or None."""
        armature = obj if obj.type == "ARMATURE" else obj.parent
        if armature is None or HEAD_PROPERTY not in armature:
            return None
        for child in armature.children:
            if child.type == "MESH" and HEAD_PROPERTY in child:
                return HeadObjects(armature, child)
        return None


def rest_shape(model: HeadModel, identity: Floats) -> tuple[Floats, Floats]:
    """Vertices (V, 3) and joints (J, 3) of an identity at rest: metres, head space, float64.

    Raises:
        TakeError: ``identity`` has more coefficients than the head.
    """
    identity = np.asarray(identity, dtype=np.float64)
    if len(identity) > model.identity_size:
        raise TakeError(
            f"The take has {len(identity)} identity coefficients, the head '{model.name}' {model.identity_size}: "
            "use the head that the take was made with."
        )
    basis = model.identity_basis[: len(identity)].astype(np.float64)
    vertices = model.template + np.tensordot(identity, basis, axes=1)
    return vertices, model.joint_regressor.astype(np.float64) @ vertices


def eyelid_names(model: HeadModel) -> tuple[str, str]:
    """Names of the two lid keys: ARKit's where the head's expressions are ARKit's."""
    if set(model.expression_names) <= set(ARKIT_NAMES):
        return "eyeBlinkLeft", "eyeBlinkRight"
    return "eyelidLeft", "eyelidRight"


def build_head(
    model: HeadModel,
    identity: Floats,
    name: str,
    collection: bpy.types.Collection | None = None,
) -> HeadObjects:
    """Build mesh, shape keys and armature of one head in the current scene.

    The identity is baked into the Basis key. The head's lids are ordinary shape keys, that is, they turn with the
    skin, also for a model with ``eyelids_after_skinning`` (unrotated lids are of no use to an animator).

    Args:
        model: any head.
        identity: (k,) coefficients, k <= K.
        name: of the mesh; the armature is called ``NAME rig``.
        collection: where to link the objects; the scene's own where not given.

    Raises:
        TakeError: more identity coefficients than the head has.
    """
    vertices, joints = rest_shape(model, identity)
    place = bpy.context.scene.collection if collection is None else collection
    mesh = bpy.data.objects.new(name, _mesh_data(model, vertices, name))
    armature = bpy.data.objects.new(f"{name} rig", bpy.data.armatures.new(f"{name} rig"))
    for obj in (armature, mesh):
        obj[HEAD_PROPERTY] = model.name
        obj[DIGEST_PROPERTY] = model.digest
        place.objects.link(obj)
    mesh.parent = armature
    _add_bones(armature, model, to_blender(joints))
    _add_weights(mesh, model)
    deform = mesh.modifiers.new("Armature", "ARMATURE")
    deform.object = armature
    deform.use_deform_preserve_volume = False  # linear blend skinning, as in the head model
    head = HeadObjects(armature, mesh)
    _add_shape_keys(head, model, vertices)
    return head


def _mesh_data(model: HeadModel, vertices: Floats, name: str) -> bpy.types.Mesh:
    data = bpy.data.meshes.new(name)
    corner = model.polygons >= 0
    sizes = corner.sum(axis=1)
    data.vertices.add(len(vertices))
    data.vertices.foreach_set("co", np.float32(to_blender(vertices)).ravel())
    data.loops.add(int(sizes.sum()))
    data.loops.foreach_set("vertex_index", model.polygons[corner].astype(np.int32))
    data.polygons.add(len(sizes))
    data.polygons.foreach_set("loop_start", (np.cumsum(sizes) - sizes).astype(np.int32))
    data.polygons.foreach_set("material_index", model.polygon_materials.astype(np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(len(sizes), dtype=bool))
    data.update(calc_edges=True)
    if len(model.uvs):
        layer = data.uv_layers.new(name="UVMap")
        uvs = np.float32(model.uvs[model.polygon_uvs[corner]]).ravel()
        if bpy.app.version < (3, 5):
            layer.data.foreach_set("uv", uvs)
        else:
            layer.uv.foreach_set("vector", uvs)
    return data


def _add_bones(armature: bpy.types.Object, model: HeadModel, joints: Floats) -> None:
    """Upright bones at the rest joints (J, 3), Blender axes; bones can only be made in edit mode."""
    layer = bpy.context.view_layer
    if layer.objects.active is not None and layer.objects.active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = []
    for joint, place in zip(model.joint_names, joints, strict=True):
        bone = armature.data.edit_bones.new(joint)
        bone.head = place.tolist()
        bone.tail = (place + np.array([0.0, 0.0, _BONE_LENGTH.get(joint, 0.03)])).tolist()
        bone.roll = 0.0  # an upright bone without roll has the local axes x, z, -y of Blender: head space
        bones.append(bone)
    for bone, parent in zip(bones, model.joint_parents, strict=True):
        if parent >= 0:
            bone.parent = bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    armature.data.display_type = "STICK"
    armature.show_in_front = True


def _add_weights(mesh: bpy.types.Object, model: HeadModel) -> None:
    """One vertex group per joint. Blender has no bulk setter, so vertices of equal weight go in one call."""
    columns = np.asarray(model.skinning_weights, dtype=np.float32).T
    for joint, column in zip(model.joint_names, columns, strict=True):
        group = mesh.vertex_groups.new(name=joint)
        used = np.flatnonzero(column > 0)
        values, inverse = np.unique(column[used], return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        parts = np.split(used[order], np.flatnonzero(np.diff(inverse[order])) + 1)
        for value, part in zip(values.tolist(), parts, strict=False):
            group.add(part.tolist(), value, "REPLACE")


def _add_shape_keys(head: HeadObjects, model: HeadModel, vertices: Floats) -> None:
    head.mesh.shape_key_add(name="Basis", from_mix=False)
    low, high = model.expression_range
    for name, offset in zip(model.expression_names, model.expression_basis, strict=True):
        add_key(head.mesh, name, vertices + offset, low, high)
    for name, offset in zip(eyelid_names(model), model.eyelid_basis, strict=True):
        add_key(head.mesh, name, vertices + offset, 0.0, 1.0)
    add_corrective_keys(head.mesh, head.armature, model, vertices)
    head.keys.name = head.mesh.name
    head.mesh.active_shape_key_index = 0
