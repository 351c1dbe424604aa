# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with the takes of a file: play, copy, remove, stack, share, read anew.

A take is an action; renaming it is renaming the action.
"""

from __future__ import annotations

import os
from typing import Any

import bpy

from smirk_core.errors import AssetError, TakeError
from smirk_core.take import load_take

from .actions import apply_action, check_fit
from .camera import cameras_of, has_camera
from .confidence import strip_pixels, thumbnail_pixels
from .footage_view import PLACE_CURVES, show_take_footage
from .head_source import marked_model
from .key_notes import copy_parts, parts_of
from .refine import heads_playing, keyed_note, rekey_take
from .rig import HeadObjects
from .take_store import has_take, take_of

__all__ = [
    "clear_asset",
    "delete_take",
    "duplicate_take",
    "make_current",
    "mark_asset",
    "push_to_nla",
    "read_take",
]

_THUMBNAIL = 128  # pixels a side


def duplicate_take(action: bpy.types.Action, name: str = "") -> bpy.types.Action:
    """A copy of a take, with its own keys, refinements and raw data; nothing plays it yet."""
    _check_take(action)
    copy = action.copy()
    if name:
        copy.name = name
    copy.use_fake_user = True
    copy_parts(copy)
    return copy


def delete_take(action: bpy.types.Action) -> None:
    """Remove a take from the file; heads that play it keep the pose they are in.

    Raises:
        TakeError: it is linked from another file.
    """
    _check_take(action)
    if action.library is not None:
        raise TakeError(f"'{action.name}' is linked from another file: delete it there.")
    for part in parts_of(action).values():
        bpy.data.actions.remove(part)
    bpy.data.actions.remove(action)


def make_current(
    action: bpy.types.Action, obj: bpy.types.Object, *, footage: bool = True, overwrite: bool = False
) -> None:
    """Let a head play a take.

    The keys of a take that is not linked are fitted to the lens of the head's perspective camera where that is
    another than when it was keyed.

    Args:
        action: made from a take.
        obj: armature or mesh of a head of the take's kind.
        footage: show and play the take's footage, and only it, and set the scene's frame range to the take.
        overwrite: fit keys that were edited by hand, too; without it they stay as they are.

    Raises:
        TakeError: no head, or one of another kind.
    """
    head = HeadObjects.of(obj)
    if head is None:
        raise TakeError(f"'{obj.name}' is not a head: choose one made by this add-on.")
    take = take_of(action)
    model = marked_model(head.armature)
    check_fit(take, model)
    cameras = cameras_of(head.armature, take) if has_camera(take) else None
    note = keyed_note(action, take)
    if cameras is not None and action.library is None and note.view is not None:
        wanted = (cameras.focal, cameras.distance)
        if max(abs(a - b) for a, b in zip(wanted, note.view, strict=True)) > 1e-4 * max(map(abs, wanted)):
            rekey_take(
                action, cameras=cameras, only=PLACE_CURVES, head=model, overwrite=overwrite, keep_edited=not overwrite
            )
    apply_action(action, head.armature, head.keys, cameras.orthographic.data if cameras else None)
    if footage:
        show_take_footage(bpy.context.scene, head, take, note)


def push_to_nla(obj: bpy.types.Object, action: bpy.types.Action | None = None) -> list[bpy.types.NlaStrip]:
    """Put the take that a head plays onto NLA tracks of its own, one for each of its data-blocks, and stop playing it.

    Args:
        obj: armature or mesh of a head.
        action: another take than the one that it plays.

    Returns:
        The strips: of the armature, the shape keys and, where it is keyed, the camera.

    Raises:
        TakeError: no head, or no take to push.
    """
    head = HeadObjects.of(obj)
    if head is None:
        raise TakeError(f"'{obj.name}' is not a head: choose one made by this add-on.")
    data = head.armature.animation_data
    action = action or (data.action if data is not None else None)
    if action is None or not has_take(action):
        raise TakeError(f"'{head.armature.name}' plays no take: make one current first.")
    camera = head.armature.get("smirk_orthographic")
    blocks: list[Any] = [head.armature, head.keys, camera.data if camera is not None else None]
    strips: list[bpy.types.NlaStrip] = []
    parts = parts_of(action)
    slots = {} if parts else {s.target_id_type: s for s in reversed(action.slots)}
    for block in filter(None, blocks):
        kind = block.bl_rna.identifier.upper()
        part = parts.get(kind, action)
        if kind not in (slots or {"OBJECT": action, **parts}):
            continue
        animation = block.animation_data or block.animation_data_create()
        track = animation.nla_tracks.new()
        track.name = action.name
        strip = track.strips.new(action.name, round(action.frame_range[0]), part)
        if slots:
            strip.action_slot = slots[kind]
        strip.frame_start = action.frame_range[0]  # new() takes whole frames only
        if animation.action == part:
            animation.action = None
        strips.append(strip)
    return strips


def mark_asset(action: bpy.types.Action, *, picture: bool = True) -> None:
    """Offer a take in the asset browser, with a picture of its liveliest frame and the rest described in words.

    Raises:
        TakeError: it is linked from another file.
    """
    _check_take(action)
    if action.library is not None:
        raise TakeError(f"'{action.name}' is linked from another file: mark it there.")
    take = take_of(action)
    action.asset_mark()
    action.use_fake_user = True
    seconds = float(take.times[-1] - take.times[0])
    info = take.info
    action.asset_data.description = f"{len(take)} frames, {seconds:.1f} s, head {info.head}, from {info.source}"
    action.asset_data.author = info.software
    if "smirk" not in action.asset_data.tags:
        action.asset_data.tags.new("smirk")
    if picture:
        heads = heads_playing(action)
        try:
            pixels = thumbnail_pixels(take, marked_model(heads[0].armature) if heads else None, _THUMBNAIL)
        except AssetError:  # its head is not here (any more)
            pixels = strip_pixels(take, _THUMBNAIL, _THUMBNAIL)
        preview = action.preview_ensure()
        preview.image_size = (_THUMBNAIL, _THUMBNAIL)
        preview.image_pixels_float.foreach_set(pixels[::-1].ravel())  # rows run upwards in Blender


def clear_asset(action: bpy.types.Action) -> None:
    """Take a take out of the asset browser; it stays in the file."""
    _check_take(action)
    action.asset_clear()
    action.use_fake_user = True


def read_take(path: str | os.PathLike[str]) -> Any:
    """The take of a file; ``//`` paths are understood.

    Raises:
        TakeError: there is none, or it is damaged.
    """
    return load_take(bpy.path.abspath(os.fspath(path)))


def _check_take(action: bpy.types.Action) -> None:
    if not has_take(action):
        raise TakeError(f"The action '{action.name}' was not made from a take.")
