# SPDX-License-Identifier: GPL-3.0-or-later
"""A take on any character: its shape keys by a table of channels, its head, jaw and eye bones by their names.

What the character does already is kept: an action of its body moves into an NLA track below the face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import AssetError, TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.rotation import matrix_from_rotvec, rotvec_from_matrix
from smirk_core.retarget.mapping import KeyMap, match_keys, mirrored
from smirk_core.retarget.names import part_of_bone
from smirk_core.retarget.performance import Performance, performance_of
from smirk_core.retarget.turns import (
    EULER_ORDERS,
    axis_angle_from_matrix,
    euler_from_matrix,
    face_axes,
    local_turns,
    quaternions,
)
from smirk_core.take import Take

from .actions import Channel, apply_action, frames_of, key_action
from .refine import model_of_take
from .scene import scene_rate
from .shape_keys import widen_slider
from .take_store import take_of

__all__ = ["BONES", "CharacterReport", "apply_to_character", "find_bones", "frames_in", "key_names", "model_of"]

Floats = npt.NDArray[np.floating[Any]]
BONES: tuple[str, ...] = ("head", "jaw", "left_eye", "right_eye")
_OURS = "smirk_character"  # custom property of our actions: the take that they were made from


@dataclass(frozen=True)
class CharacterReport:
    """What :func:`apply_to_character` has done.

    Attributes:
        action: the performance, with a slot for each data-block.
        moved: names of the shape keys that move now.
        absent: keys of the table that the meshes do not have.
        driven: keys that were left alone because a driver holds them.
        bones: names of the bones that turn now.
        kept: names of actions that were moved into NLA tracks.
    """

    action: bpy.types.Action
    moved: tuple[str, ...]
    absent: tuple[str, ...]
    driven: tuple[str, ...]
    bones: tuple[str, ...]
    kept: tuple[str, ...]


def key_names(mesh: bpy.types.Object) -> list[str]:
    """Names of a mesh's shape keys without its basis; empty where it has none."""
    keys = getattr(mesh.data, "shape_keys", None)
    return [k.name for k in keys.key_blocks if k != keys.reference_key] if keys is not None else []


def find_bones(armature: bpy.types.Object) -> dict[str, str]:
    """The bones of an armature that are called head, jaw and left and right eye in one of the usual ways.

    Bones that follow others by constraints come last: turning them would change nothing.
    """
    found: dict[str, str] = {}
    for bone in sorted(armature.pose.bones, key=lambda b: (bool(b.constraints), not b.bone.use_deform)):
        part = part_of_bone(bone.name)
        if part:
            found.setdefault(part, bone.name)
    return {part: found[part] for part in BONES if part in found}


def model_of(take: Take) -> HeadModel:
    """The head that a take was made with, for its names.

    Raises:
        TakeError: it is neither the open head nor here.
    """
    model = load_head()
    if not take.info.head or take.info.head == model.name:
        return model
    try:
        return model_of_take(take)
    except AssetError as error:
        raise TakeError(
            f"The take was made with the head '{take.info.head}', which is not here: "
            "capture the footage with the open head to put it onto a character."
        ) from error


def frames_in(action: bpy.types.Action, take: Take, scene: bpy.types.Scene) -> Floats:
    """(N,) scene frames of a take as its action plays it, also after the action was moved or stretched."""
    first, last = action.frame_range
    span = float(take.times[-1] - take.times[0])
    rate = (last - first) / span if span > 0 and last > first else scene_rate(scene)
    frames = frames_of(take, rate, 0.0)
    return frames - frames[0] + first


def apply_to_character(
    meshes: bpy.types.Object | Sequence[bpy.types.Object],
    take: bpy.types.Action | Take,
    *,
    keys: KeyMap | None = None,
    armature: bpy.types.Object | None = None,
    bones: Mapping[str, str] | None = None,
    gains: Mapping[str, float] | None = None,
    model: HeadModel | None = None,
    start: float | None = None,
    mirror: bool = False,
    raw: bool = False,
) -> CharacterReport:
    """Put a take onto a character, as one action with a slot for each mesh and for the armature.

    Args:
        meshes: one or several meshes with shape keys, such as a head and its teeth.
        take: an action that was made from a take, or a take.
        keys: the table; found by the names of the keys where not given.
        armature: the character's; that of the first mesh where not given.
        bones: ``head``, ``jaw``, ``left_eye``, ``right_eye`` -> name of a bone, "" or absent for none; found by their
            names where not given.
        gains: how far each of these bones turns, 1 for as far as in the take.
        model: the head that the take was made with; the open head where not given.
        start: scene frame of the take's first frame; where the action has it, or the scene's first, if not given.
        mirror: exchange left and right.
        raw: without the take's filters.

    Raises:
        TakeError: the take has no ARKit names, a mesh is linked, or nothing of the character fits.
    """
    chosen: list[Any] = [meshes] if isinstance(meshes, bpy.types.Object) else list(meshes)
    if not chosen:
        raise TakeError("Choose the mesh of the character's face.")
    scene = bpy.context.scene
    performance_take = take if isinstance(take, Take) else take_of(take)
    name = performance_take.info.source.rpartition("/")[2] or "Take" if isinstance(take, Take) else take.name
    model = model_of(performance_take) if model is None else model
    performance = performance_of(performance_take, model, raw=raw)
    if mirror:
        performance = _mirrored(performance)
    if isinstance(take, Take):
        frames = frames_of(performance_take, scene_rate(scene), 0.0)
        frames = frames - frames[0] + scene.frame_start
    else:
        frames = frames_in(take, performance_take, scene)
    if start is not None:
        frames = frames - frames[0] + start

    blocks: list[tuple[bpy.types.ID, list[Channel]]] = []
    moved, driven, seen = [], [], set()
    for mesh in chosen:
        block, channels, held = _key_channels(mesh, performance.weights, keys)
        seen |= set(key_names(mesh))
        driven += held
        if channels and block not in [b for b, _ in blocks]:  # linked duplicates share their keys
            blocks.append((block, channels))
            moved += [n for n, _ in _named(channels)]
    armature = chosen[0].find_armature() if armature is None else armature
    turning: dict[str, str] = {}
    if armature is not None:
        _check_editable(armature)
        turning = _existing(armature, find_bones(armature) if bones is None else bones)
        if turning:
            blocks.append((armature, _bone_channels(armature, turning, performance, gains or {})))
    if not blocks:
        what = ", ".join(f"'{m.name}'" for m in chosen)
        raise TakeError(f"No shape key of {what} fits the table and no bone is named: match the keys first.")
    action = key_action(f"{name} on {chosen[0].name}", blocks, frames)
    action[_OURS] = name
    slots: Any = [None] * len(blocks) if bpy.app.version < (4, 4) else action.slots  # there were none before
    kept = [_play(block, action, slot) for (block, _), slot in zip(blocks, slots, strict=True)]
    wanted = keys.targets if keys is not None else ()
    return CharacterReport(
        action,
        tuple(dict.fromkeys(moved)),
        tuple(n for n in wanted if n not in seen),
        tuple(dict.fromkeys(driven)),
        tuple(turning.values()),
        tuple(n for n in kept if n),
    )


def _mirrored(performance: Performance) -> Performance:
    flip = np.diag([-1.0, 1.0, 1.0])
    other = {"left_eye": "right_eye", "right_eye": "left_eye"}
    turns = {name: flip @ performance.turns[other.get(name, name)] @ flip for name in performance.turns}
    return Performance(mirrored(performance.weights), turns)


def _check_editable(obj: bpy.types.Object) -> None:
    for block in (obj, obj.data):
        if block.library is not None:
            raise TakeError(f"'{obj.name}' is linked from another file: make it local or a library override first.")


def _key_channels(
    mesh: bpy.types.Object, weights: Floats, table: KeyMap | None
) -> tuple[bpy.types.Key, list[Channel], list[str]]:
    """The shape keys of a mesh, a channel for each that moves, and the names of those that drivers hold.

    Raises:
        TakeError: the object has no shape keys, or is linked.
    """
    names = key_names(mesh)
    if mesh.type != "MESH" or not names:
        raise TakeError(f"'{mesh.name}' has no shape keys: choose the mesh of the character's face.")
    _check_editable(mesh)
    keys = mesh.data.shape_keys
    held = {d.data_path for d in keys.animation_data.drivers} if keys.animation_data is not None else set()
    channels, driven = [], []
    targets, values = (match_keys(names).keys if table is None else table).curves(weights)
    for name, curve in zip(targets, values.T, strict=True):
        if name not in names:
            continue
        path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
        if path in held:
            driven.append(name)
            continue
        widen_slider(keys.key_blocks[name], float(curve.min()), float(curve.max()))
        channels.append(Channel(path, 0, curve))
    return keys, channels, driven


def _named(channels: list[Channel]) -> list[tuple[str, Channel]]:
    return [(bpy.utils.unescape_identifier(c.path[len('key_blocks["') : -len('"].value')]), c) for c in channels]


def _existing(armature: bpy.types.Object, bones: Mapping[str, str]) -> dict[str, str]:
    """The bones that are given a name, in the order of :data:`BONES`.

    Raises:
        TakeError: the armature has no bone of that name.
    """
    found = {}
    for part in BONES:
        name = bones.get(part, "")
        if name:
            if name not in armature.pose.bones:
                raise TakeError(f"The armature '{armature.name}' has no bone '{name}'.")
            found[part] = name
    return found


def _bone_channels(
    armature: bpy.types.Object, bones: Mapping[str, str], performance: Performance, gains: Mapping[str, float]
) -> list[Channel]:
    axes = _axes(armature, bones)
    channels = []
    for part, name in bones.items():
        turns = performance.turns[part]
        gain = gains.get(part, 1.0)
        if gain != 1.0:
            turns = matrix_from_rotvec(gain * rotvec_from_matrix(turns))
        bone = armature.pose.bones[name]
        local = local_turns(turns, np.array(bone.bone.matrix_local), axes)
        mode = bone.rotation_mode
        if mode in EULER_ORDERS:
            field, values = "rotation_euler", euler_from_matrix(local, mode)
        elif mode == "AXIS_ANGLE":
            field, values = "rotation_axis_angle", axis_angle_from_matrix(local)
        else:
            field, values = "rotation_quaternion", quaternions(local)
        path = f'pose.bones["{bpy.utils.escape_identifier(name)}"].{field}'
        channels += [Channel(path, i, values[:, i], name) for i in range(values.shape[1])]
    return channels


def _axes(armature: bpy.types.Object, bones: Mapping[str, str]) -> Floats:
    """Head space's axes in the armature: up is the world's, left goes from eye to eye where both are known."""
    world = np.array(armature.matrix_world)[:3, :3]
    up = np.linalg.solve(world, np.array([0.0, 0.0, 1.0]))
    left = None
    if "left_eye" in bones and "right_eye" in bones:
        places = [np.array(armature.data.bones[bones[part]].head_local) for part in ("left_eye", "right_eye")]
        left = places[0] - places[1]
    return face_axes(up, left)


def _play(block: bpy.types.ID, action: bpy.types.Action, slot: bpy.types.ActionSlot | None) -> str:
    """Let a data-block play its slot. Returns the name of the action that moved into an NLA track, or ""."""
    data = block.animation_data or block.animation_data_create()
    before, kept = data.action, ""
    if before is not None and _OURS not in before:
        track = data.nla_tracks.new()
        track.name = before.name
        strip = track.strips.new(before.name, int(before.frame_range[0]), before)
        if slot is not None and data.action_slot is not None:
            strip.action_slot = data.action_slot
        kept = before.name
    elif before is not None and before.get(_OURS) == action.get(_OURS):
        before.use_fake_user = False  # its successor is the same take: it goes when the file is saved
    if slot is None:
        apply_action(action, block)
    else:
        data.action = action
        data.action_slot = slot
    return kept
