# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose frame rate counts: the footage's, with a key on each frame, or the scene's, with keys by their time stamps."""

from __future__ import annotations

from dataclasses import replace

import bpy

from smirk_core.errors import TakeError
from smirk_core.take import Take

from .footage import load_footage, start_frame
from .footage_view import head_of, same_file, set_range, sound_strips, takes_of_head
from .key_notes import KeyNote, edited_curves
from .refine import EditedError, keyed_note, rekey_take
from .rig import HeadObjects
from .scene import scene_rate, set_rate
from .take_store import take_of

__all__ = ["RATES", "footage_rate", "set_rate_policy"]

RATES = ("FOOTAGE", "SCENE")


def footage_rate(take: Take) -> float:
    """Frames per second at which Blender plays a take's footage; 0 for a photo."""
    footage = load_footage(take.info)
    if footage is None:
        return take.info.rate
    if footage.clip is not None and footage.clip.users == 0:
        bpy.data.movieclips.remove(footage.clip)
    return footage.rate or take.info.rate


def set_rate_policy(
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    policy: str,
    *,
    rate: float | None = None,
    overwrite: bool = False,
) -> float:
    """Run the scene at a head's footage's rate, or keep the scene's and place keys by their time stamps.

    All takes that heads of the scene play are keyed anew at the rate, from the same beginnings; sound and the frame
    range follow. The footage itself plays a frame of its own with each frame of the scene, so that it stays in step
    at its own rate only.

    Args:
        scene: whose rate is meant.
        obj: armature or mesh of a head.
        policy: "FOOTAGE" or "SCENE".
        rate: with "SCENE", another rate for the scene first.
        overwrite: key anew what was edited by hand, too.

    Returns:
        The rate.

    Raises:
        EditedError: curves were edited by hand and ``overwrite`` is not set. Nothing is changed then.
        TakeError: no head, no take, or a photo, which has no rate.
    """
    if policy not in RATES:
        raise TakeError(f"The rate is one of {', '.join(RATES)}, not '{policy}'.")
    head = head_of(obj)
    playing = takes_of_head(head)
    if not playing:
        raise TakeError(f"'{head.armature.name}' plays no take: make one current first.")
    wanted = footage_rate(take_of(playing[0])) if policy == "FOOTAGE" else rate or scene_rate(scene)
    if wanted <= 0:
        raise TakeError("A photo has no frame rate: keep the scene's.")
    actions = _played(scene)
    edited = [a.name for a in actions if edited_curves(a)]
    if edited and not overwrite:
        raise EditedError(f"Curves of '{edited[0]}' were edited by hand: choose to overwrite them.")
    moved = {a: keyed_note(a, take_of(a)) for a in actions}
    for action, note in moved.items():
        rekey_take(action, rate=wanted, overwrite=overwrite)
        _follow(scene, take_of(action), note, replace(note, rate=wanted))
    set_rate(scene, wanted)
    take = take_of(playing[0])
    set_range(scene, take, keyed_note(playing[0], take))
    return wanted


def _played(scene: bpy.types.Scene) -> list[bpy.types.Action]:
    heads = {h.armature.name_full: h for h in map(HeadObjects.of, scene.objects) if h is not None}
    every = dict.fromkeys(a for h in heads.values() for a in takes_of_head(h))
    return [a for a in every if a.library is None]


def _follow(scene: bpy.types.Scene, take: Take, before: KeyNote, after: KeyNote) -> None:
    """Move sound and footage of a take to where its beginning is at another rate."""
    shift = start_frame(take.info, after.rate, after.start) - start_frame(take.info, before.rate, before.start)
    if shift == 0:
        return
    for strip in sound_strips(scene, take.info.source):
        name = "content_start" if hasattr(strip, "content_start") else "frame_start"  # renamed in 5.2
        setattr(strip, name, getattr(strip, name) + shift)
    for clip in bpy.data.movieclips:
        if same_file(clip.filepath, take.info.source):
            clip.frame_start += shift
