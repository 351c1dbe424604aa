# SPDX-License-Identifier: GPL-3.0-or-later
"""A head model as Blender objects: mesh, shape keys and an armature that deform exactly as ``smirk_core`` decodes.

Convention: head space (x, y, z) is Blender's (x, -z, y). Every bone rests upright, its local axes *are* head space
(local +x to the subject's left, +y up along the bone, +z out of the face), so that ``rotation_quaternion`` is the
head-space quaternion of the take without any change: a jaw turned by 0.3 rad about +x reads
(0.98877, 0.14944, 0, 0) on the pose bone ``jaw``.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel

from .bones import add_bones
from .correctives import add_corrective_keys
from .eyelids import add_lids_after_skinning, can_add_lids
from .head_source import DIGEST_PROPERTY, HEAD_PROPERTY, mark, marked_model
from .identity import (
    IdentityKeys,
    add_identity_keys,
    bake_identity,
    identity_of,
    live_count,
    note_baked_identity,
    rest_shape,
    settle_joints,
)
from .key_names import NAMES_PROPERTY, KeyNames, NameStyle, eyelid_names, key_names
from .mesh_data import add_weights, new_mesh
from .shape_keys import SLIDER_LIMIT, add_key, to_blender

__all__ = [
    "DIGEST_PROPERTY",
    "HEAD_PROPERTY",
    "HeadObjects",
    "IdentityKeys",
    "NameStyle",
    "RemovedWhileBuilding",
    "add_identity_keys",
    "bake_identity",
    "build_head",
    "build_head_steps",
    "eyelid_names",
    "identity_of",
    "model_of",
    "rest_shape",
    "still_there",
]

Floats = npt.NDArray[np.floating[Any]]
_KEYS_A_STEP = 32  # shape keys made in one step of a building


class RemovedWhileBuilding(TakeError):
    """An undo or somebody else took away, between two steps, what was built so far."""


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


def model_of(head: HeadObjects) -> HeadModel:
    """The head model that a head was built from, also after its file was saved and loaded.

    Its lids are as in the rig, before or after skinning.

    Raises:
        AssetError: the model's file is gone or is another one now.
    """
    return marked_model(head.armature)


def build_head(
    model: HeadModel,
    identity: Floats,
    name: str,
    collection: bpy.types.Collection | None = None,
    *,
    identity_keys: IdentityKeys = "baked",
    names: NameStyle = "smirk",
    eyelids: Literal["model", "rig", "faithful"] = "model",
) -> HeadObjects:
    """Build mesh, shape keys and armature of one head in the current scene.

    Args and errors as for :func:`build_head_steps`.
    """
    steps = build_head_steps(
        model, identity, name, collection, identity_keys=identity_keys, names=names, eyelids=eyelids
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def build_head_steps(
    model: HeadModel,
    identity: Floats,
    name: str,
    collection: bpy.types.Collection | None = None,
    *,
    identity_keys: IdentityKeys = "baked",
    names: NameStyle = "smirk",
    eyelids: Literal["model", "rig", "faithful"] = "model",
) -> Generator[None, None, HeadObjects]:
    """:func:`build_head` in steps of some hundredths of a second; between them only names are kept.

    Args:
        model: any head.
        identity: (k,) coefficients, k <= K.
        name: of the mesh; the armature is called ``NAME rig``.
        collection: where to link the objects; the scene's own where not given.
        identity_keys: "baked" takes the identity into the Basis, "all" makes every component a slider, a number the
            first ones. More or fewer later: :func:`add_identity_keys`, :func:`bake_identity`.
        names: "smirk", or "flame" for keys called as FLAME add-ons call them.
        eyelids: "rig" makes lids that turn with the head, "faithful" adds them after skinning, "model" does what
            ``model.eyelids_after_skinning`` says. Either way later: :func:`blender_smirk.eyelids.set_lids`.

    Raises:
        TakeError: more identity coefficients or live components than the head has.
        RemovedWhileBuilding: an undo or somebody else took away what was built so far.
    """
    after = model.eyelids_after_skinning if eyelids == "model" else eyelids == "faithful"
    after = after and can_add_lids()
    if after != model.eyelids_after_skinning:
        model = replace(model, eyelids_after_skinning=after)
    keys = key_names(model, names)
    live = live_count(model, identity_keys)
    vertices, joints = rest_shape(model, identity)
    baked, sliders = np.zeros(model.identity_size), np.zeros(live)
    baked[: len(identity)] = identity
    sliders[:] = np.clip(baked[:live], -SLIDER_LIMIT, SLIDER_LIMIT)  # what a slider cannot reach stays in the Basis
    baked[:live] -= sliders
    vertices = rest_shape(model, baked)[0] if live else vertices

    place = bpy.context.scene.collection if collection is None else collection
    uvs = model.uvs[model.polygon_uvs] if len(model.uvs) else None
    data = new_mesh(name, vertices, model.polygons, model.polygon_materials, uvs)
    mesh = bpy.data.objects.new(name, data)
    armature = bpy.data.objects.new(f"{name} rig", bpy.data.armatures.new(f"{name} rig"))
    for obj in (armature, mesh):
        mark(obj, model)
        obj[NAMES_PROPERTY] = names
        place.objects.link(obj)
    note_baked_identity(mesh, baked)
    mesh.parent = armature
    add_bones(armature, model, to_blender(joints))
    add_weights(mesh, model.joint_names, np.asarray(model.skinning_weights, dtype=np.float32))
    deform = mesh.modifiers.new("Armature", "ARMATURE")
    deform.object = armature
    deform.use_deform_preserve_volume = False  # linear blend skinning, as in the head model
    rig = armature.name
    del mesh, armature, deform, obj, place, collection
    yield
    yield from _add_shape_keys(rig, model, vertices, keys, sliders)
    head = still_there(rig)
    if model.eyelids_after_skinning:
        add_lids_after_skinning(head.mesh, keys.eyelids, model.eyelid_basis)
    settle_joints(head, model)
    bpy.context.view_layer.objects.active = head.armature
    return head


def still_there(rig: str) -> HeadObjects:
    """The head whose armature has this name.

    Raises:
        RemovedWhileBuilding: it is gone.
    """
    armature = bpy.data.objects.get(rig)
    head = None if armature is None else HeadObjects.of(armature)
    if head is None:
        raise RemovedWhileBuilding(f"'{rig}' was removed while it was being built.")
    return head


def _add_shape_keys(
    rig: str, model: HeadModel, vertices: Floats, names: KeyNames, sliders: Floats
) -> Generator[None, None, None]:
    still_there(rig).mesh.shape_key_add(name="Basis", from_mix=False)
    low, high = model.expression_range
    keys = [
        (name, offset, -SLIDER_LIMIT, SLIDER_LIMIT, value)
        for name, offset, value in zip(names.identity, model.identity_basis, sliders, strict=False)
    ]
    keys += [(n, offset, low, high, 0.0) for n, offset in zip(names.expression, model.expression_basis, strict=True)]
    keys += [(n, offset, 0.0, 1.0, 0.0) for n, offset in zip(names.eyelids, model.eyelid_basis, strict=True)]
    for begin in range(0, len(keys), _KEYS_A_STEP):
        mesh = still_there(rig).mesh
        for name, offset, least, most, value in keys[begin : begin + _KEYS_A_STEP]:
            add_key(mesh, name, vertices + offset, least, most).value = value
        del mesh
        yield
    head = still_there(rig)
    add_corrective_keys(head.mesh, head.armature, model, vertices, names.correctives)
    head.keys.name = head.mesh.name
    head.mesh.active_shape_key_index = 0
