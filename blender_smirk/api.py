# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a button does, as a function; works headless.

from blender_smirk import api

head = api.animate("clip.mp4")      # tracks the clip, builds and animates a head in the current scene
api.save("clip.blend")              # or .glb, .fbx, .usd

take = smirk_core.Take.load("other.take.npz")
api.apply_take(head.armature, take)  # another performance for the same head, as a second action
"""

from __future__ import annotations

import math
import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import bpy

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.progress import Progress, silent
from smirk_core.take import Take, load_take

from .actions import WARNING_PROPERTY, apply_action, check_fit, frames_of, write_action
from .camera import LENS, Cameras, build_cameras, cameras_of, has_camera, remember_cameras, shared_perspective
from .confidence import add_lost_markers, lost_frames, remove_lost_markers
from .detail import (
    add_wrinkles,
    bake_wrinkles,
    person_from_take,
    remove_person_detail,
    remove_wrinkles,
    set_wrinkles,
    wear_person_detail,
    wrinkle_strengths,
)
from .export_take import save_csv, save_take
from .footage import add_background, add_sound, load_footage, start_frame
from .footage_view import match_camera, set_sound, show_footage
from .frame_rate import set_rate_policy
from .gaze import clear_gaze, set_gaze
from .head_source import load_remembered
from .key_notes import Keying, edited_curves
from .likeness import randomise_identity, reset_identity, set_identity, symmetrise_identity
from .look import set_colour, set_roughness
from .materials import add_materials
from .people import age_of, apply_person, set_age, set_brows, set_hair_colour, set_lashes, wear_style
from .photo_texture import add_photo_texture, remove_photo_texture
from .posing import apply_preset, make_symmetric
from .refine import introduce_take, refine_take, reset_take, take_time
from .retarget import CharacterReport, apply_to_character, find_bones, key_names
from .rig import (
    HEAD_PROPERTY,
    HeadObjects,
    IdentityKeys,
    NameStyle,
    RemovedWhileBuilding,
    add_identity_keys,
    bake_identity,
    build_head_steps,
    identity_of,
    model_of,
    still_there,
)
from .save import save
from .scene import add_light, scene_rate, set_scene
from .skin_bake import bake_skin, remove_baked_skin
from .skin_look import set_skin, skin_of
from .smooth import add_smoothing
from .take_library import (
    clear_asset,
    delete_take,
    duplicate_take,
    make_current,
    mark_asset,
    push_to_nla,
    read_take,
)
from .take_store import has_take, store_take, take_of, takes

__all__ = [
    "AnimatedHead",
    "CharacterReport",
    "HeadObjects",
    "Keying",
    "RemovedWhileBuilding",
    "add_identity_keys",
    "add_lost_markers",
    "add_photo_texture",
    "add_take",
    "add_take_steps",
    "add_wrinkles",
    "age_of",
    "animate",
    "animate_all",
    "apply_person",
    "apply_preset",
    "apply_take",
    "apply_take_steps",
    "apply_to_character",
    "bake_identity",
    "bake_skin",
    "bake_wrinkles",
    "clear_asset",
    "clear_gaze",
    "delete_take",
    "duplicate_take",
    "edited_curves",
    "find_bones",
    "has_take",
    "identity_of",
    "key_names",
    "lost_frames",
    "make_current",
    "make_symmetric",
    "mark_asset",
    "match_camera",
    "model_of",
    "person_from_take",
    "push_to_nla",
    "randomise_identity",
    "read_take",
    "refine_take",
    "remove_baked_skin",
    "remove_lost_markers",
    "remove_person_detail",
    "remove_photo_texture",
    "remove_wrinkles",
    "reset_identity",
    "reset_take",
    "save",
    "save_csv",
    "save_take",
    "set_age",
    "set_brows",
    "set_colour",
    "set_gaze",
    "set_hair_colour",
    "set_identity",
    "set_lashes",
    "set_rate_policy",
    "set_roughness",
    "set_skin",
    "set_sound",
    "set_wrinkles",
    "show_footage",
    "skin_of",
    "symmetrise_identity",
    "take_of",
    "take_time",
    "takes",
    "wear_person_detail",
    "wear_style",
    "wrinkle_strengths",
]


Result = TypeVar("Result")


@dataclass(frozen=True)
class AnimatedHead:
    """What :func:`animate` put into the scene.

    Attributes:
        armature, mesh: the head.
        cameras: None where the take does not say where in the picture the head is.
        action: the take on the head's objects.
        take: the performance.
    """

    armature: bpy.types.Object
    mesh: bpy.types.Object
    cameras: Cameras | None
    action: bpy.types.Action
    take: Take

    @property
    def warning(self) -> str:
        """What of the take Blender cannot show, in words; "" where it shows everything."""
        return str(self.action.get(WARNING_PROPERTY, ""))


def animate(
    media: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    take: Take | str | os.PathLike[str] | None = None,
    frame_start: int = 1,
    raw: bool = False,
    lens: float = LENS,
    identity_keys: IdentityKeys = "baked",
    names: NameStyle = "smirk",
    progress: Progress = silent,
    **tracking: Any,
) -> AnimatedHead:
    """Turn a photo or video of a face into an animated head in the current scene.

    Args:
        media: photo, video or first picture of a sequence; Blender's ``//`` paths are understood.
        head: ``"open"``, a head file or a loaded head.
        take: a take of this footage that exists already (or its file): nothing is tracked then.
        frame_start: scene frame of the beginning.
        raw: key the take as solved, without its filters.
        lens: focal length of the perspective camera in mm.
        identity_keys: "baked" for the solved face as the mesh's own, "all" for a slider per component, or how many.
        names: "smirk", or "flame" for shape keys called as FLAME add-ons call them.
        progress: called while tracking and building; may raise ``Cancelled``.
        tracking: further arguments of :func:`smirk_core.track`, such as ``start``, ``end``, ``step`` or ``filters``.

    Raises:
        SmirkError: the footage cannot be read or shows no face, or take and head do not fit.
    """
    model = load_remembered(head)
    path = bpy.path.abspath(os.fspath(media))
    if take is None:
        from smirk_core.tracking.tracker import track

        performance = track(path, head=model, progress=progress, **tracking)
    else:
        performance = take if isinstance(take, Take) else load_take(take)
        if Path(path).is_file():  # also when it lay elsewhere while it was tracked
            performance = replace(performance, info=replace(performance.info, source=path))
    return add_take(
        performance,
        head=model,
        frame_start=frame_start,
        raw=raw,
        lens=lens,
        identity_keys=identity_keys,
        names=names,
        progress=progress,
    )


def animate_all(
    media: str | os.PathLike[str],
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    faces: str | int = "all",
    frame_start: int = 1,
    raw: bool = False,
    lens: float = LENS,
    identity_keys: IdentityKeys = "baked",
    names: NameStyle = "smirk",
    progress: Progress = silent,
    **tracking: Any,
) -> list[AnimatedHead]:
    """One animated head for every face of a photo or video; they share footage, sound and perspective camera.

    ``faces`` is "all", "largest" or how many of the largest; everything else as for :func:`animate`. The scene's
    camera is the shared one where there are several heads: no orthographic camera fits faces of different depths.
    """
    from smirk_core.tracking.tracker import track_all

    model = load_remembered(head)
    takes = track_all(bpy.path.abspath(os.fspath(media)), head=model, faces=faces, progress=progress, **tracking)
    options: dict[str, Any] = {"raw": raw, "lens": lens, "names": names, "progress": progress}
    options["identity_keys"] = identity_keys
    return [add_take(t, head=model, frame_start=frame_start, **options) for t in takes]


def add_take(
    take: Take,
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    name: str = "",
    frame_start: int = 1,
    raw: bool = False,
    lens: float = LENS,
    footage: bool = True,
    identity_keys: IdentityKeys = "baked",
    names: NameStyle = "smirk",
    progress: Progress = silent,
) -> AnimatedHead:
    """Build the head of a take, its cameras and its action, with footage, sound and scene settings around it.

    Args:
        take: the performance.
        head: the head that the take was made with.
        name: of the objects; the footage's name where not given.
        frame_start: scene frame of the take's beginning.
        raw: key the take as solved, without its filters.
        lens: focal length of the perspective camera in mm.
        footage: bring footage and sound along where the file is there.
        identity_keys: "baked" for the take's face as the mesh's own, "all" for a slider per component, or how many.
        names: "smirk", or "flame" for shape keys called as FLAME add-ons call them.
        progress: called between steps.

    Raises:
        TakeError: take and head do not fit. Nothing has been changed then.
    """
    steps = add_take_steps(
        take,
        head=head,
        name=name,
        frame_start=frame_start,
        raw=raw,
        lens=lens,
        footage=footage,
        identity_keys=identity_keys,
        names=names,
        progress=progress,
    )
    return _finished(steps)


def add_take_steps(
    take: Take,
    *,
    head: str | os.PathLike[str] | HeadModel = "open",
    name: str = "",
    frame_start: int = 1,
    raw: bool = False,
    lens: float = LENS,
    footage: bool = True,
    identity_keys: IdentityKeys = "baked",
    names: NameStyle = "smirk",
    progress: Progress = silent,
) -> Generator[None, None, AnimatedHead]:
    """:func:`add_take` in steps of some hundredths of a second, so that a window may be drawn between them.

    Between two steps only names are kept, so an undo that falls there is an error, never a crash.

    Raises:
        TakeError: take and head do not fit (in the first step, before anything is changed), or what was built so far
            has been removed meanwhile.
    """
    model = load_remembered(head)
    check_fit(take, model)
    name = name or _name(take)
    progress("Building the head", 0, 3)
    collection = bpy.data.collections.new(name)
    bpy.context.scene.collection.children.link(collection)
    place = collection.name
    building = build_head_steps(model, take.identity, name, collection, identity_keys=identity_keys, names=names)
    del collection
    rig = (yield from building).armature.name
    yield
    progress("Building the head", 1, 3)
    add_materials(still_there(rig).mesh, model)
    add_smoothing(still_there(rig).mesh)
    yield
    progress("Building the head", 2, 3)
    objects = still_there(rig)
    if has_camera(take):
        shared = shared_perspective(bpy.context.scene, take.info.source)
        cameras = build_cameras(take, name, bpy.data.collections[place], lens=lens, perspective=shared)
        remember_cameras(objects.armature, cameras)
        # No orthographic camera fits several faces, each with a scale of its own; the shared perspective one does.
        bpy.context.scene.camera = cameras.orthographic if shared is None else cameras.perspective
    action = yield from _perform(take, model, rig, frame_start, raw, footage)
    objects = still_there(rig)
    add_light(bpy.context.scene, bpy.data.collections[place], objects.armature)
    progress("Building the head", 3, 3)
    return AnimatedHead(objects.armature, objects.mesh, cameras_of(objects.armature, take), action, take)


def apply_take(
    obj: bpy.types.Object,
    take: Take,
    *,
    head: str | os.PathLike[str] | HeadModel | None = None,
    frame_start: int = 1,
    raw: bool = False,
    footage: bool = True,
) -> bpy.types.Action:
    """Give a head that is in the scene another performance. Its face stays whose it is; the old action is kept.

    Args:
        obj: armature or mesh of the head.
        take: the performance, of anyone, made with the same head model.
        head: the head model that ``obj`` was built from; it is found again by itself where not given.
        frame_start: scene frame of the take's beginning.
        raw: key the take as solved, without its filters.
        footage: show and play the take's footage instead of the one before.

    Raises:
        TakeError: ``obj`` is no such head, or the take does not fit it.
    """
    return _finished(apply_take_steps(obj, take, head=head, frame_start=frame_start, raw=raw, footage=footage))


def apply_take_steps(
    obj: bpy.types.Object,
    take: Take,
    *,
    head: str | os.PathLike[str] | HeadModel | None = None,
    frame_start: int = 1,
    raw: bool = False,
    footage: bool = True,
) -> Generator[None, None, bpy.types.Action]:
    """:func:`apply_take` in steps, as :func:`add_take_steps`."""
    objects = HeadObjects.of(obj)
    if objects is None:
        raise TakeError(f"'{obj.name}' is not a head: choose one made by this add-on.")
    model = model_of(objects) if head is None else load_remembered(head)
    if objects.armature[HEAD_PROPERTY] != model.name:
        raise TakeError(f"'{obj.name}' is not a head of the kind '{model.name}': choose one made by this add-on.")
    check_fit(take, model)
    rig = objects.armature.name
    del obj, objects
    return (yield from _perform(take, model, rig, frame_start, raw, footage))


def _perform(
    take: Take, model: HeadModel, rig: str, frame_start: int, raw: bool, show: bool
) -> Generator[None, None, bpy.types.Action]:
    """Key and apply a take to the head ``rig`` and set up the scene for it."""
    scene, objects = bpy.context.scene, still_there(rig)
    cameras = cameras_of(objects.armature, take) if has_camera(take) else None
    footage = load_footage(take.info) if show else None
    # The footage's rate as Blender plays it, else the take's, else (a photo) the scene's.
    rate = (footage.rate if footage is not None else 0.0) or take.info.rate
    frames = frames_of(take, rate or scene_rate(scene), frame_start)
    first = start_frame(take.info, rate, frame_start)
    action = write_action(
        take, model, objects, _name(take), rate=rate or scene_rate(scene), start=frame_start, raw=raw, cameras=cameras
    )
    store_take(action, take)
    introduce_take(action, take)
    apply_action(action, objects.armature, objects.keys, cameras.orthographic.data if cameras else None)
    if footage is not None and cameras is not None:
        for camera in (cameras.orthographic, cameras.perspective):
            add_background(camera, footage, first)
    clip = footage.clip.name if footage is not None and footage.clip is not None else ""
    if footage is not None:
        footage = replace(footage, clip=None, image=None)
    del action, objects, cameras, scene
    yield
    scene = bpy.context.scene
    if footage is not None and clip:
        add_sound(scene, replace(footage, clip=bpy.data.movieclips.get(clip)), first, _name(take))
    # Rounding keeps a last key that is a hair before a frame from adding an empty one.
    set_scene(scene, take.info, rate, frame_start, math.ceil(round(float(frames[-1]), 3)))
    return still_there(rig).armature.animation_data.action


def _finished(steps: Generator[None, None, Result]) -> Result:
    """Run all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _name(take: Take) -> str:
    name = Path(take.info.source).stem or "Head"
    return f"{name} {take.info.face + 1}" if take.info.face else name
