# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head is seen with: its camera, the footage behind it, and its sound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from smirk_core.errors import TakeError
from smirk_core.take import Take

from .actions import frames_of
from .camera import cameras_of, has_camera
from .footage import Footage, add_background, add_sound, load_footage, start_frame
from .key_notes import KeyNote, edited_curves
from .refine import EditedError, flip_footage, keyed_note, rekey_take
from .rig import HeadObjects
from .take_store import has_take, take_of, takes

__all__ = [
    "PLACE_CURVES",
    "VIEWS",
    "head_cameras",
    "head_of",
    "match_camera",
    "same_file",
    "set_range",
    "set_sound",
    "show_footage",
    "show_take_footage",
    "sound_strips",
    "takes_of_head",
]

VIEWS = ("ORTHOGRAPHIC", "PERSPECTIVE")
PLACE_CURVES = "OBJECT location"  # what the names of the curves of a head's place begin with


def takes_of_head(head: HeadObjects) -> list[bpy.types.Action]:
    """The takes that a head plays, the current one first, then those on its NLA tracks."""
    data = head.armature.animation_data
    if data is None:
        return []
    actions = [data.action, *(strip.action for track in data.nla_tracks for strip in track.strips)]
    return list(dict.fromkeys(a for a in actions if a is not None and has_take(a)))


def head_cameras(head: HeadObjects) -> dict[str, bpy.types.Object]:
    """The head's own cameras that are still there: ORTHOGRAPHIC, PERSPECTIVE."""
    found = {kind: head.armature.get(f"smirk_{kind.lower()}") for kind in VIEWS}
    return {kind: camera for kind, camera in found.items() if camera is not None}


def match_camera(
    scene: bpy.types.Scene, obj: bpy.types.Object, view: str, *, lens: float | None = None, overwrite: bool = False
) -> bpy.types.Object:
    """Look at a head as its footage does, and render in the footage's size.

    A new lens moves the perspective camera and keys the depth of all heads that it belongs to anew, so that the
    middle of each face still covers the footage.

    Args:
        scene: gets the camera.
        obj: armature or mesh of a head.
        view: "ORTHOGRAPHIC", which covers the footage everywhere, or "PERSPECTIVE".
        lens: focal length of the perspective camera in mm; as it is where not given.
        overwrite: key depths anew where the head's place was edited by hand.

    Returns:
        The camera.

    Raises:
        EditedError: the place of a head was edited by hand and ``overwrite`` is not set. Nothing is changed then.
        TakeError: no head, or its camera or its take is gone.
    """
    head = head_of(obj)
    camera: Any = head_cameras(head).get(view)
    if camera is None:
        raise TakeError(f"'{head.armature.name}' has no {view.lower()} camera (any more): import its take anew.")
    playing = takes_of_head(head)
    take = take_of(playing[0]) if playing else None
    if view == "PERSPECTIVE" and lens is not None and abs(lens - camera.data.lens) > 1e-6:
        if take is None or not has_camera(take):
            raise TakeError(f"'{head.armature.name}' plays no take that says how far away it is: make one current.")
        _change_lens(scene, camera, lens, take, overwrite)
    scene.camera = camera
    if take is not None and min(take.info.width, take.info.height) > 0:
        scene.render.resolution_x, scene.render.resolution_y = take.info.width, take.info.height
    return camera


def _change_lens(scene: bpy.types.Scene, camera: Any, lens: float, take: Take, overwrite: bool) -> None:
    sharing = [h for h in map(HeadObjects.of, scene.objects) if h is not None]
    heads = {h.armature.name_full: h for h in sharing if head_cameras(h).get("PERSPECTIVE") == camera}
    keyed = [(h, a) for h in heads.values() for a in takes_of_head(h) if a.library is None]
    for _, action in keyed:
        moved = [name for name in edited_curves(action) if name.startswith(PLACE_CURVES)]
        if moved and not overwrite:
            raise EditedError(f"The place of the head in '{action.name}' was edited by hand: choose to overwrite it.")
    camera.data.lens = lens
    longer = max(take.info.width, take.info.height)
    distance = lens / camera.data.sensor_width * longer / float(np.median(take.filtered["camera"][:, 0]))
    camera.location.y = -distance
    camera.data.clip_end = max(camera.data.clip_end, 10 * distance)
    for head, action in keyed:
        cameras = cameras_of(head.armature, take_of(action))
        if cameras is not None:
            rekey_take(action, cameras=cameras, only=PLACE_CURVES, overwrite=overwrite)


def show_footage(obj: bpy.types.Object, show: bool = True, *, opacity: float | None = None) -> None:
    """Show or hide the footage behind a head, in all of its cameras.

    Args:
        obj: armature or mesh of a head.
        show: whether to.
        opacity: 0 to 1; as it is where not given.

    Raises:
        TakeError: no head, or its footage cannot be read.
    """
    head = head_of(obj)
    cameras = list(head_cameras(head).values())
    playing = takes_of_head(head)
    if show and playing and not all(len(_data(c).background_images) for c in cameras):
        take = take_of(playing[0])
        footage, note = load_footage(take.info), keyed_note(playing[0], take)
        if footage is None:
            raise TakeError(f"The footage {take.info.source} cannot be read (any more): put it back where it was.")
        for camera in cameras:
            add_background(camera, footage, start_frame(take.info, note.rate, note.start))
    for camera in cameras:
        data = _data(camera)
        data.show_background_images = show
        for background in data.background_images:
            background.show_background_image = show
            if opacity is not None:
                background.alpha = opacity


def set_sound(scene: bpy.types.Scene, action: bpy.types.Action, on: bool = True) -> int:
    """Let the sound of a take's footage be heard, or not.

    Returns:
        How many strips of it the sequencer has now; 0 where the footage has no sound or is gone.
    """
    take = take_of(action)
    strips = sound_strips(scene, take.info.source)
    if on and not strips:
        footage, note = load_footage(take.info), keyed_note(action, take)
        if footage is not None and add_sound(
            scene, footage, start_frame(take.info, note.rate, note.start), action.name
        ):
            strips = sound_strips(scene, take.info.source)
    for strip in strips:
        strip.mute = not on
    return len(strips)


def show_take_footage(scene: bpy.types.Scene, head: HeadObjects, take: Take, note: KeyNote) -> None:
    """Footage and sound of this take, and of no other; the scene's frame range is the take's."""
    first = start_frame(take.info, note.rate, note.start)
    footage = _known(load_footage(take.info), first)
    for camera in head_cameras(head).values():
        data = _data(camera)
        alpha = data.background_images[0].alpha if len(data.background_images) else 1.0
        shown = data.show_background_images or not len(data.background_images)
        if footage is not None:
            add_background(camera, footage, first, alpha)
            data.show_background_images = shown
        elif len(data.background_images):
            data.background_images.clear()  # of another take
    flip_footage(head, take)
    others = {take_of(a).info.source for a in takes()} - {take.info.source}
    for source in others:
        for strip in sound_strips(scene, source):
            strip.mute = True
    if footage is not None:
        add_sound(scene, footage, first, head.mesh.name)
    for strip in sound_strips(scene, take.info.source):
        strip.mute = False
    set_range(scene, take, note)


def set_range(scene: bpy.types.Scene, take: Take, note: KeyNote) -> None:
    """The frames of the scene are those of the take."""
    frames = frames_of(take, note.rate, note.start)
    scene.frame_start = max(0, round(note.start))
    scene.frame_end = max(scene.frame_start, math.ceil(round(float(frames[-1]), 3)))


def _known(footage: Footage | None, first: int) -> Footage | None:
    """The same footage with a clip that the file has already, if there is one that begins at ``first``."""
    if footage is None or footage.clip is None:
        return footage
    for clip in bpy.data.movieclips:
        if clip != footage.clip and clip.frame_start == first and same_file(clip.filepath, str(footage.path)):
            bpy.data.movieclips.remove(footage.clip)
            return replace(footage, clip=clip)
    return footage


def sound_strips(scene: bpy.types.Scene, source: str) -> list[Any]:
    """The sound strips of a file in a scene's sequencer."""
    editor: Any = scene.sequence_editor
    if editor is None or not source:
        return []
    strips: Iterable[Any] = editor.strips if hasattr(editor, "strips") else editor.sequences  # "strips" from 4.4 on
    return [s for s in strips if s.type == "SOUND" and same_file(s.sound.filepath, source)]


def same_file(one: str, other: str) -> bool:
    """Whether two paths, ``//`` ones as well, name the same file; empty ones name none."""
    return bool(one and other) and Path(bpy.path.abspath(one)).absolute() == Path(bpy.path.abspath(other)).absolute()


def _data(camera: bpy.types.Object) -> Any:
    return camera.data


def head_of(obj: bpy.types.Object) -> HeadObjects:
    """The head of an object.

    Raises:
        TakeError: it is none.
    """
    head = HeadObjects.of(obj)
    if head is None:
        raise TakeError(f"'{obj.name}' is not a head: choose one made by this add-on.")
    return head
