# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as one slotted Action. The only file that knows how Blender's versions differ in keyframes.

Blender 4.4 gave actions slots (one action animates several data-blocks), 5.0 removed ``Action.fcurves``. Layer, strip
and channelbag exist in every version from 4.5 on, so only they are used.

Keys are placed by time stamp, between frames where the footage's stamps say so, and run in straight lines; quaternion
signs are continuous, so that a straight line between two keys is the short way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import continuous_quaternions, quaternion_from_rotvec
from smirk_core.take import Take

from .camera import Cameras, has_camera
from .key_names import NAMES_PROPERTY, KeyNames, NameStyle, key_names
from .key_notes import KeyNote, key_bags, note_keys
from .rig import HeadObjects
from .shape_keys import SLIDER_LIMIT, widen_slider

__all__ = [
    "WARNING_PROPERTY",
    "Channel",
    "apply_action",
    "channels_of",
    "check_fit",
    "frames_of",
    "key_action",
    "rewrite_action",
    "widen_sliders",
    "write_action",
    "write_channels",
]

Floats = npt.NDArray[np.floating[Any]]
_STAMP = 0.00051  # seconds by which a rounded time stamp can be off
WARNING_PROPERTY = "smirk_warning"  # custom property of an action: what of the take Blender cannot show
_LINEAR = 1  # 'LINEAR' as a number, which foreach_set wants for enumerations
_PART = "smirk_part_"  # custom property of an action without slots: the action of another block of the same take
_BONES = (
    ("root", "rotation", 0),
    ("neck", "neck", 0),
    ("jaw", "jaw", 0),
    ("left_eye", "eyes", 0),
    ("right_eye", "eyes", 2),
)


@dataclass(frozen=True)
class Channel:
    """One f-curve to be: RNA path, array index, (N,) values, the group shown in the editors, and which values to key.

    ``kept`` is (N,) bool; None keys every value, or one where they are all the same.
    """

    path: str
    index: int
    values: Floats
    group: str = ""
    kept: npt.NDArray[np.bool_] | None = None


def frames_of(take: Take, rate: float, start: float) -> Floats:
    """(N,) scene frames, with fractions, of the take's time stamps: the take's beginning lands on ``start``.

    The beginning is rounded to a frame of the footage, which can only be moved by whole frames: keys and footage stay
    in step for every ``info.start``.
    """
    if len(take) == 1:
        return np.array([start], dtype=np.float64)
    frames = np.asarray(take.times, dtype=np.float64) * rate
    # Containers round time stamps to a millisecond; a key that misses a whole frame by no more sits on it.
    whole = np.round(frames)
    frames = np.where(np.abs(frames - whole) <= _STAMP * rate, whole, frames)
    return start + frames - round(take.info.start * rate)


def write_channels(bag: bpy.types.ActionChannelbag, frames: Floats, channels: Iterable[Channel]) -> None:
    """Write straight-line keys of many channels at (N,) ``frames``; a channel that never changes gets one key.

    The keys of f-curves that exist already are replaced; their modifiers stay. Everything goes through
    ``foreach_set``: ``keyframe_insert`` searches and sorts for each key, which takes minutes where this takes a tenth
    of a second.
    """
    at = np.asarray(frames, dtype=np.float32)
    straight = np.full(len(at), _LINEAR, dtype=np.int32)
    for channel in channels:
        points = np.stack([at, np.asarray(channel.values, dtype=np.float32)], axis=1)
        if bool((points[:, 1] == points[0, 1]).all()):
            points = points[:1]
        elif channel.kept is not None:
            points = points[channel.kept]
        curve = bag.fcurves.find(channel.path, index=channel.index)
        if curve is not None and bpy.app.version < (4, 0):  # whose keys cannot be cleared
            bag.fcurves.remove(curve)
            curve = None
        if curve is None:
            curve = bag.fcurves.new(channel.path, index=channel.index)
            _join_group(bag, curve, channel.group)
        else:
            curve.keyframe_points.clear()
        curve.keyframe_points.add(len(points))
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.keyframe_points.foreach_set("interpolation", straight[: len(points)])
        curve.update()


def _join_group(bag: bpy.types.ActionChannelbag, curve: bpy.types.FCurve, name: str) -> None:
    if name:
        group = bag.groups.get(name)
        curve.group = bag.groups.new(name) if group is None else group


def key_action(name: str, blocks: Iterable[tuple[bpy.types.ID, Iterable[Channel]]], frames: Floats) -> bpy.types.Action:
    """A new action with one slot per data-block, keyed and kept even while nothing uses it."""
    if bpy.app.version < (4, 4):
        return _key_actions(name, blocks, frames)
    action = bpy.data.actions.new(name)
    action.use_fake_user = True
    strip = action.layers.new("Take").strips.new(type="KEYFRAME")
    for block, channels in blocks:
        slot = action.slots.new(id_type=block.id_type, name=block.name)
        write_channels(strip.channelbag(slot, ensure=True), frames, channels)
    return action


def _key_actions(name: str, blocks: Iterable[tuple[bpy.types.ID, Iterable[Channel]]], frames: Floats) -> Any:
    """What :func:`key_action` does, for a Blender without slots: an action for each block, the first leads to all."""
    first: Any = None
    for block, channels in blocks:
        action: Any = bpy.data.actions.new(name if first is None else f"{name} {block.name}")
        action.use_fake_user = True
        action.id_root = kind = block.bl_rna.identifier.upper()
        write_channels(action, frames, channels)
        if first is None:
            first = action
        else:
            first[_PART + kind] = action
    return first


def write_action(
    take: Take,
    model: HeadModel,
    head: HeadObjects,
    name: str,
    *,
    rate: float,
    start: float = 1.0,
    raw: bool = False,
    cameras: Cameras | None = None,
) -> bpy.types.Action:
    """Key a take for ``head`` (see :func:`apply_action` to put it to use).

    Slots: the armature (bone rotations and the head's place), the shape keys and, where given, the orthographic
    camera's scale.

    Args:
        take: groups in head space, radians, pixels.
        model: the head model that the objects were built from.
        head: built by :func:`blender_smirk.rig.build_head`; its sliders are widened where the take leaves them.
        name: of the action.
        rate: scene frames per second.
        start: scene frame of the take's beginning.
        raw: key the take as solved, without its filters.
        cameras: the head's own; without them the head keeps its depth and no camera is keyed.

    Raises:
        TakeError: the take was made for another head.
    """
    check_fit(take, model)
    groups = take.filtered if not raw else take.raw
    view = None if cameras is None else (cameras.focal, cameras.distance)
    style: NameStyle = head.mesh.get(NAMES_PROPERTY, "smirk")
    channels = channels_of(take, model, groups, view, style)
    beyond = widen_sliders(head.keys, channels["KEY"])
    targets = {"OBJECT": head.armature, "KEY": head.keys}
    if cameras is not None:
        targets["CAMERA"] = cameras.orthographic.data
    blocks = [(targets[kind], made) for kind, made in channels.items() if kind in targets]
    action = key_action(name, blocks, frames_of(take, rate, start))
    action["smirk_source"] = take.info.source
    action[NAMES_PROPERTY] = style
    if beyond:
        action[WARNING_PROPERTY] = beyond
    note_keys(action, KeyNote(rate, start, view, raw))
    return action


def channels_of(
    take: Take,
    model: HeadModel,
    groups: Any,
    view: tuple[float, float] | None = None,
    names: NameStyle = "smirk",
) -> dict[str, list[Channel]]:
    """The channels of a take, by the kind of data-block that plays them: OBJECT, KEY and, with a ``view``, CAMERA.

    Args:
        take: says how large the picture is and when.
        model: the head.
        groups: name -> (N, size): the take's, or the same at other times.
        view: focal length in pixels and distance in metres of the perspective camera; None keeps the head's depth.
        names: how the head's keys are called; an action notes it as its property ``smirk_names``.
    """
    channels = {
        "OBJECT": _bone_channels(model, groups) + _place_channels(take, groups, view),
        "KEY": _key_channels(key_names(model, names), groups),
    }
    if view is not None and has_camera(take):
        scale = max(take.info.width, take.info.height) / groups["camera"][:, 0]
        channels["CAMERA"] = [Channel("ortho_scale", 0, scale)]
    return channels


def rewrite_action(action: bpy.types.Action, frames: Floats, channels: Mapping[str, Iterable[Channel]]) -> None:
    """Give an action's slots new keys, by the kind of data-block; same action, same slots, other curves untouched."""
    for kind, bag in key_bags(action).items():
        write_channels(bag, frames, channels.get(kind, ()))


def check_fit(take: Take, model: HeadModel) -> None:
    """Raise TakeError where a take cannot be played on heads of ``model``."""
    expression = take.filtered.get("expression")
    width = 0 if expression is None else expression.shape[1]
    if (take.info.head and take.info.head != model.name) or width > model.expression_size:
        raise TakeError(
            f"The take was made with the head '{take.info.head or 'unknown'}' and does not fit '{model.name}': "
            "track the footage again with this head, or use the head of the take."
        )


def apply_action(action: bpy.types.Action, *blocks: bpy.types.ID | None) -> None:
    """Let each data-block (armature, keys, camera data) play its slot of the action; blocks without one are left."""
    for block in blocks:
        if block is None:
            continue
        if bpy.app.version < (4, 4):  # without slots
            kind = block.bl_rna.identifier.upper()
            part: Any = action if kind == action.id_root else action.get(_PART + kind)
            if part is not None:
                (block.animation_data or block.animation_data_create()).action = part
            continue
        slots = [s for s in action.slots if s.target_id_type == block.id_type]
        if slots:
            data = block.animation_data or block.animation_data_create()
            data.action = action
            data.action_slot = slots[0]


def _bone_channels(model: HeadModel, groups: Any) -> list[Channel]:
    count = len(next(iter(groups.values())))
    channels = []
    for bone, group, first in _BONES:
        vector = np.zeros((count, 3))
        if group in groups:
            size = 2 if group == "eyes" else 3
            vector[:, :size] = groups[group][:, first : first + size]
        quaternions = continuous_quaternions(quaternion_from_rotvec(vector))
        path = f'pose.bones["{bone}"].rotation_quaternion'
        channels += [Channel(path, i, quaternions[:, i], bone) for i in range(4)]
    return channels


def _place_channels(take: Take, groups: Any, view: tuple[float, float] | None) -> list[Channel]:
    """The head's location so that the camera, fixed and looking along +y, sees it where the footage does."""
    if not has_camera(take):
        return []
    scale, tx, ty = np.asarray(groups["camera"], dtype=np.float64).T
    x = (tx - (take.info.width - 1) / 2) / scale
    z = ((take.info.height - 1) / 2 - ty) / scale
    y = np.zeros_like(x) if view is None else view[0] / scale - view[1]
    return [Channel("location", i, values, "Head") for i, values in enumerate((x, y, z))]


def _key_channels(names: KeyNames, groups: Any) -> list[Channel]:
    named: list[tuple[str, Floats]] = []
    if "expression" in groups:
        named += zip(names.expression, groups["expression"].T, strict=False)
    if "eyelids" in groups:
        named += zip(names.eyelids, groups["eyelids"].T, strict=True)
    return [Channel(f'key_blocks["{name}"].value', 0, values) for name, values in named]


def widen_sliders(keys: bpy.types.Key, channels: Iterable[Channel]) -> str:
    """Let the shape keys reach all values of their channels; keys that are not there are passed over.

    Returns:
        What Blender cannot show because no slider goes beyond 10, in words; "" where there is nothing.
    """
    beyond = []
    for channel in channels:
        key = keys.key_blocks.get(channel.path.split('"')[1])
        if key is not None:
            low, high = float(channel.values.min()), float(channel.values.max())
            widen_slider(key, low, high)
            if max(-low, high) > SLIDER_LIMIT:
                beyond.append(f"{key.name} {high if high >= -low else low:.1f}")
    if not beyond:
        return ""
    more = f" and {len(beyond) - 3} more" if len(beyond) > 3 else ""
    verb = "is" if len(beyond) == 1 else "are"
    return f"Blender's sliders end at {SLIDER_LIMIT:g}: {', '.join(beyond[:3])}{more} {verb} cut off there."
