# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes that look at something: constraints on the eye bones, within what eyes can do.

The take's own gaze stays keyed below; the armature's custom property :data:`INFLUENCE` (0 to 1, can be animated)
fades between the two by drivers that need no Python. The lids' correctives, which follow the eyes' rotation, read it
after the constraints for as long as a target is set.
"""

from __future__ import annotations

import re
from typing import Any

import bpy
from mathutils import Vector

from smirk_core.heads.head_model import HeadModel

from .drivers import drive
from .rig import HeadObjects, model_of

__all__ = ["INFLUENCE", "clear_gaze", "gaze_target", "has_gaze", "set_gaze"]

INFLUENCE = "smirk_gaze"  # custom property of the armature: 0 the take's gaze, 1 the target
_TRACK, _LIMIT = "Smirk gaze", "Smirk gaze limit"
_OWN = "smirk_gaze_target"  # custom property of an empty that we made
_EYES = ("left_eye", "right_eye")
_PATH = re.compile(r'pose\.bones\["(left_eye|right_eye)"\]\.rotation_quaternion\[(\d)\]')
_PARTS = ("ROT_W", "ROT_X", "ROT_Y", "ROT_Z")
_ANGLES = {"eyeLookUp": 0.42, "eyeLookDown": 0.45, "eyeLookIn": 0.55, "eyeLookOut": 0.55}  # radians, where not known


def gaze_target(head: HeadObjects) -> bpy.types.Object | None:
    """What the head looks at, or None where the take's gaze plays."""
    constraint = head.armature.pose.bones[_EYES[0]].constraints.get(_TRACK)
    return constraint.target if constraint is not None else None


def has_gaze(head: HeadObjects) -> bool:
    """Whether the eyes are set to look at something, even if that was deleted since."""
    return any(c.name == _TRACK for name in _EYES for c in head.armature.pose.bones[name].constraints)


def set_gaze(
    head: HeadObjects, target: bpy.types.Object | None = None, *, model: HeadModel | None = None
) -> bpy.types.Object:
    """Let both eyes look at an object, each turning only as far as eyes do.

    Args:
        head: the head.
        target: any object, such as a camera; a new empty in front of the face where not given.
        model: the head's model, for the reach of its eyes; found by what the head remembers where not given.

    Returns:
        The target.
    """
    model = model_of(head) if model is None else model
    reach = {name: model.angles.get(name, angle) for name, angle in _ANGLES.items()}
    if target is None:
        target = _empty_before(head)
    before = gaze_target(head)
    armature = head.armature
    if INFLUENCE not in armature:
        armature[INFLUENCE] = 1.0
        armature.id_properties_ui(INFLUENCE).update(min=0.0, max=1.0, soft_min=0.0, soft_max=1.0, default=1.0)
    for name in _EYES:
        constraints: Any = armature.pose.bones[name].constraints
        track = constraints.get(_TRACK)
        if track is None:
            track = _first(constraints, "DAMPED_TRACK", _TRACK, 0)
            track.track_axis = "TRACK_Z"  # the eye's own +z points out of the face
            limit = _first(constraints, "LIMIT_ROTATION", _LIMIT, 1)
            limit.owner_space = "LOCAL"
            limit.use_limit_x = limit.use_limit_y = limit.use_limit_z = True
            limit.min_x, limit.max_x = -reach["eyeLookUp"], reach["eyeLookDown"]
            left, right = (reach["eyeLookOut"], reach["eyeLookIn"])[:: 1 if name == "left_eye" else -1]
            limit.min_y, limit.max_y = -right, left
            limit.min_z = limit.max_z = 0.0
            for constraint in (track, limit):
                drive(constraint, "influence", -1, "a", {"a": (armature, f'["{INFLUENCE}"]')})
        track.target = target
    _read_constraints(head, True)
    if before is not None and before != target:
        _remove_own(before)
    return target


def clear_gaze(head: HeadObjects) -> None:
    """Give the take its gaze back; the empty that :func:`set_gaze` made goes as well."""
    target = gaze_target(head)
    for name in _EYES:
        constraints = head.armature.pose.bones[name].constraints
        for constraint in [c for c in constraints if c.name in (_TRACK, _LIMIT)]:
            constraint.driver_remove("influence")
            constraints.remove(constraint)
    _read_constraints(head, False)
    if INFLUENCE in head.armature:
        del head.armature[INFLUENCE]
    if target is not None:
        _remove_own(target)


def _first(constraints: Any, kind: str, name: str, place: int) -> Any:
    """A new constraint at ``place``: before those that move joints, which reckon with the final rotation."""
    constraint = constraints.new(kind)
    constraint.name = name
    constraint.show_expanded = False
    constraints.move(len(constraints) - 1, place)
    return constraints[place]


def _empty_before(head: HeadObjects) -> bpy.types.Object:
    """An empty half a metre before the eyes, as the head is turned now."""
    bpy.context.view_layer.update()
    armature: Any = head.armature
    bones = [armature.pose.bones[name] for name in _EYES]
    middle = sum((b.head for b in bones), Vector()) / 2
    front = (armature.pose.bones["neck"].matrix.to_3x3() @ Vector((0.0, 0.0, 1.0))).normalized()
    empty = bpy.data.objects.new(f"{head.mesh.name} gaze", None)
    empty[_OWN] = True
    empty.empty_display_type = "SPHERE"
    empty.empty_display_size = 0.02
    empty.location = armature.matrix_world @ (middle + 0.5 * front)
    places = head.mesh.users_collection or (bpy.context.scene.collection,)
    places[0].objects.link(empty)
    return empty


def _remove_own(target: bpy.types.Object) -> None:
    """Delete an empty of ours that no eye looks at any more."""
    if _OWN not in target or target.library is not None:
        return
    for obj in bpy.data.objects:
        if obj.type == "ARMATURE":
            for bone in obj.pose.bones:
                if any(c.type == "DAMPED_TRACK" and c.target == target for c in bone.constraints):
                    return
    bpy.data.objects.remove(target)


def _read_constraints(head: HeadObjects, after: bool) -> None:
    """Let drivers of the keys read the eyes' rotation after their constraints, or as it is keyed."""
    data = head.keys.animation_data
    for curve in data.drivers if data is not None else ():
        for variable in curve.driver.variables:
            target = variable.targets[0]
            found = _PATH.fullmatch(target.data_path) if variable.type == "SINGLE_PROP" else None
            if after and found is not None:
                bone, number = found[1], int(found[2])
                variable.type = "TRANSFORMS"
                target = variable.targets[0]
                target.id = head.armature
                target.bone_target = bone
                target.transform_type = _PARTS[number]
                target.rotation_mode = "QUATERNION"
                target.transform_space = "LOCAL_SPACE"
            elif not after and variable.type == "TRANSFORMS" and target.bone_target in _EYES:
                bone, number = target.bone_target, _PARTS.index(target.transform_type)
                variable.type = "SINGLE_PROP"
                target = variable.targets[0]
                target.id = head.armature
                target.data_path = f'pose.bones["{bone}"].rotation_quaternion[{number}]'
