# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones of a head: upright in its joints, so that their local axes are head space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import SmirkError
from smirk_core.heads.head_model import HeadModel

__all__ = ["add_bones", "editing", "place_bone"]

Floats = npt.NDArray[np.floating[Any]]
_LENGTH = {"root": 0.05, "neck": 0.08, "jaw": 0.03, "left_eye": 0.015, "right_eye": 0.015}


@contextmanager
def editing(armature: bpy.types.Object) -> Iterator[None]:
    """Edit mode, the only one in which bones can be made or placed; leaves any other mode, ends in object mode.

    Raises:
        SmirkError: the armature cannot be edited: its collection is hidden, or it is linked from another file.
    """
    layer = bpy.context.view_layer
    before = layer.objects.active
    if before is not None and before.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    if armature.name not in layer.objects:
        raise SmirkError(f"'{armature.name}' cannot be edited: its collection is switched off in this view layer.")
    hidden = armature.hide_get(), armature.hide_viewport
    armature.hide_viewport = False
    armature.hide_set(False)
    layer.objects.active = armature
    try:
        try:
            bpy.ops.object.mode_set(mode="EDIT")
        except RuntimeError as error:
            reason = "show its collection, or make it local if it is linked"
            raise SmirkError(f"'{armature.name}' cannot be edited: {reason}.") from error
        yield
    finally:
        if armature.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        armature.hide_set(hidden[0])
        armature.hide_viewport = hidden[1]
        if before is not None:
            layer.objects.active = before


def place_bone(bone: bpy.types.EditBone, place: Floats) -> None:
    """Stand an edit bone upright in a joint (3,), Blender axes."""
    bone.head = place.tolist()
    bone.tail = (place + np.array([0.0, 0.0, _LENGTH.get(bone.name, 0.03)])).tolist()
    bone.roll = 0.0  # an upright bone without roll has the local axes x, z, -y of Blender: head space


def add_bones(armature: bpy.types.Object, model: HeadModel, joints: Floats) -> None:
    """One bone per joint of ``model`` at the rest joints (J, 3), Blender axes."""
    with editing(armature):
        bones = [armature.data.edit_bones.new(name) for name in model.joint_names]
        for bone, place, parent in zip(bones, joints, model.joint_parents, strict=True):
            place_bone(bone, place)
            if parent >= 0:
                bone.parent = bones[parent]
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    armature.data.display_type = "STICK"
    armature.show_in_front = True
