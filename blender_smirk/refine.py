# SPDX-License-Identifier: GPL-3.0-or-later
"""Refining a take in place: always from what was solved, into the same action, the same slots and the same curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.errors import TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import find_head
from smirk_core.refine.key_reduction import kept_keys
from smirk_core.refine.layers import apply_filters
from smirk_core.refine.recipe import Recipe
from smirk_core.refine.resample import resample
from smirk_core.take import Take

from .actions import Channel, channels_of, check_fit, frames_of, rewrite_action, widen_sliders
from .camera import Cameras, has_camera
from .head_source import DIGEST_PROPERTY, marked_model
from .key_names import NAMES_PROPERTY
from .key_notes import Keying, KeyNote, edited_curves, note_keys, note_of
from .properties.takes import show_applied
from .rig import HeadObjects
from .scene import scene_rate
from .take_store import store_take, take_of

__all__ = [
    "EditedError",
    "flip_footage",
    "heads_playing",
    "introduce_take",
    "keyed_note",
    "model_of_take",
    "refine_take",
    "rekey_take",
    "reset_take",
    "take_time",
]

Floats = npt.NDArray[np.floating[Any]]
_PLACE = 0.1  # metres of place that weigh as much as a weight of 1


class EditedError(TakeError):
    """Curves were edited by hand and nobody said what should become of that."""


def introduce_take(action: bpy.types.Action, take: Take) -> None:
    """Let the panels, where the add-on is registered, show a take that has just come, with the filters it came with."""
    note = keyed_note(action, take)
    show_applied(action, () if note.raw else take.info.filters, Keying(note.keys, note.error), note.rate)
    listed = getattr(bpy.context.scene, "smirk_takes", None)
    if listed is not None:
        listed.action = action


def refine_take(
    action: bpy.types.Action,
    recipe: Recipe | Sequence[Mapping[str, Any]],
    *,
    keying: Keying | None = None,
    head: HeadModel | None = None,
    overwrite: bool = False,
    keep_edited: bool = False,
) -> Take:
    """Make the filtered take anew from the raw one and key it where it was keyed.

    Args:
        action: made from a take.
        recipe: refinements, or a stack of layers (:mod:`smirk_core.refine.layers`).
        keying: where the keys are; as they were where not given.
        head: the head model; found by itself where not given.
        overwrite: replace curves that were edited by hand, too.
        keep_edited: leave such curves as they are.

    Returns:
        The take with its new ``filtered`` groups and ``info.filters``; it is what the action carries now.

    Raises:
        EditedError: curves were edited by hand, and neither ``overwrite`` nor ``keep_edited`` is set.
        TakeError: there is no take in the action, it is linked, or the refinement does not fit it.
    """
    take = _own_take(action)
    model = model_of_take(take) if head is None else head
    layers = recipe.layers() if isinstance(recipe, Recipe) else tuple(recipe)
    refined = apply_filters(take, layers, expression_names=_names(take, model))
    kept = _edits(action, overwrite, keep_edited)
    note = keyed_note(action, take)
    keying = Keying(note.keys, note.error) if keying is None else keying
    note = replace(note, raw=False, keys=keying.kind, error=keying.error)
    _write(action, refined, model, note, kept)
    store_take(action, refined)
    for objects in heads_playing(action):
        flip_footage(objects, refined)
    show_applied(action, refined.info.filters, keying, note.rate)
    return refined


def reset_take(action: bpy.types.Action, *, head: HeadModel | None = None, overwrite: bool = False) -> Take:
    """Take all refinements away: the take as solved, a key where the footage has a frame."""
    return refine_take(action, (), keying=Keying(), head=head, overwrite=overwrite)


def rekey_take(
    action: bpy.types.Action,
    *,
    rate: float | None = None,
    start: float | None = None,
    cameras: Cameras | None = None,
    only: str = "",
    head: HeadModel | None = None,
    overwrite: bool = False,
    keep_edited: bool = False,
) -> None:
    """Key a take as it is at another scene rate, another beginning or for other cameras.

    ``only`` is what the names (:func:`blender_smirk.key_notes.curves_of`) of the curves that change begin with.

    Raises:
        EditedError, TakeError: as :func:`refine_take`.
    """
    take = _own_take(action)
    model = model_of_take(take) if head is None else head
    kept = _edits(action, overwrite, keep_edited, only)
    note = keyed_note(action, take)
    note = replace(note, rate=rate or note.rate, start=note.start if start is None else start)
    if cameras is not None:
        note = replace(note, view=(cameras.focal, cameras.distance))
    _write(action, take, model, note, kept, only)


def take_time(action: bpy.types.Action, frame: float) -> float:
    """The moment of the take, in seconds of its source, that a scene frame shows.

    A time offset that is in force is taken back: what is seen at ``frame`` came from there.

    Raises:
        TakeError: there is no take in the action.
    """
    take = take_of(action)
    note = keyed_note(action, take)
    frames = frames_of(take, note.rate, note.start)
    shift = sum(float(layer.get("seconds", 0.0)) for layer in take.info.filters if layer.get("kind") == "offset")
    if len(take) == 1:
        return float(take.times[0])
    # Keys stand at frames; between them, and beyond the ends, time runs at the scene's rate.
    seconds = float(np.interp(frame, frames, take.times))
    seconds += (min(frame - frames[0], 0.0) + max(frame - frames[-1], 0.0)) / note.rate
    return seconds - (0.0 if note.raw else shift)


def keyed_note(action: bpy.types.Action, take: Take) -> KeyNote:
    """How an action was keyed; read from its keys where it carries no note."""
    note = note_of(action)
    if note is not None:
        return note
    rate = take.info.rate or scene_rate(bpy.context.scene)
    first = float(take.times[0]) * rate - round(take.info.start * rate)
    return KeyNote(rate, float(action.frame_range[0]) - first)


def heads_playing(action: bpy.types.Action) -> list[HeadObjects]:
    """The heads that play an action: as their current one, or on a track of the NLA."""
    found: dict[str, HeadObjects] = {}
    for obj in bpy.data.objects:
        data = obj.animation_data if obj.type == "ARMATURE" else None
        if data is None:
            continue
        strips = [strip.action for track in data.nla_tracks for strip in track.strips]
        head = HeadObjects.of(obj) if action in (data.action, *strips) else None
        if head is not None:
            found[head.armature.name_full] = head
    return list(found.values())


def flip_footage(head: HeadObjects, take: Take) -> None:
    """Show the footage behind a head mirrored where its take is; in a camera that is the head's own."""
    mirrored = sum(layer.get("kind") == "mirror" for layer in take.info.filters) % 2 == 1
    cameras: list[Any] = [head.armature.get("smirk_orthographic"), head.armature.get("smirk_perspective")]
    others = [o for o in bpy.data.objects if o != head.armature and o.get("smirk_perspective") == cameras[1]]
    if others:
        cameras.pop()
    for camera in cameras:
        for background in camera.data.background_images if camera is not None else ():
            background.use_flip_x = mirrored


def model_of_take(take: Take) -> HeadModel:
    """The head model of a take: that of a head in this file, else the bundled one or one of the person's own.

    Raises:
        AssetError: the head is not here, or its file is gone.
    """
    for obj in bpy.data.objects:
        if obj.type == "ARMATURE" and take.info.head_digest and obj.get(DIGEST_PROPERTY) == take.info.head_digest:
            return marked_model(obj)
    return find_head(take.info.head, take.info.head_digest)


def _own_take(action: bpy.types.Action) -> Take:
    if action.library is not None:
        raise TakeError(f"'{action.name}' is linked from another file: make it local or refine it there.")
    return take_of(action)


def _names(take: Take, model: HeadModel) -> tuple[str, ...]:
    check_fit(take, model)
    size = take.raw["expression"].shape[1] if "expression" in take.raw else model.expression_size
    return model.expression_names[:size]


def _edits(action: bpy.types.Action, overwrite: bool, keep: bool, only: str = "") -> set[str]:
    """Names of the curves to leave alone, of those that begin with ``only``."""
    edited = [name for name in edited_curves(action) if name.startswith(only)]
    if edited and not overwrite and not keep:
        names = sorted({_label(name) for name in edited})
        some = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        raise EditedError(
            f"Curves of '{action.name}' were edited by hand ({some}): choose whether to overwrite or to keep them."
        )
    return set(edited) if keep and not overwrite else set()


def _label(curve: str) -> str:
    """What a curve moves, for people: the name in its path."""
    parts = curve.split('"')
    return parts[1] if len(parts) > 1 else curve.split(" ")[1]


def _write(
    action: bpy.types.Action, take: Take, model: HeadModel, note: KeyNote, kept: set[str], only: str = ""
) -> None:
    """Rewrite the curves of an action whose names begin with ``only``, but those in ``kept``, and note it."""
    groups, frames = take.raw if note.raw else take.filtered, frames_of(take, note.rate, note.start)
    if note.keys == "EVERY" and len(take) > 1:
        whole = np.arange(np.ceil(frames[0] - 1e-3), np.floor(frames[-1] + 1e-3) + 1)
        groups = resample(groups, take.times, np.interp(whole, frames, take.times))
        frames = whole
    style = "flame" if action.get(NAMES_PROPERTY) == "flame" else "smirk"
    channels = channels_of(take, model, groups, note.view if has_camera(take) else None, style)
    if note.keys == "REDUCED" and len(frames) > 2:
        channels = {kind: _reduced(frames, made, note.error) for kind, made in channels.items()}
    kept = kept | {n for k, made in channels.items() for c in made if not (n := _name_of(k, c)).startswith(only)}
    if kept:
        channels = {k: [c for c in made if _name_of(k, c) not in kept] for k, made in channels.items()}
    rewrite_action(action, frames, channels)
    for head in heads_playing(action):
        if head.keys.library is None:
            widen_sliders(head.keys, channels["KEY"])
    note_keys(action, note, kept)


def _name_of(kind: str, channel: Channel) -> str:
    """The name of a channel's curve, as :func:`blender_smirk.key_notes.curves_of` has it."""
    return f"{kind} {channel.path} {channel.index}"


def _reduced(frames: Floats, channels: list[Channel], error: float) -> list[Channel]:
    """The channels with as few keys as keep within ``error``; those of one property are keyed together."""
    together: dict[str, list[Channel]] = {}
    for channel in channels:
        together.setdefault(channel.path, []).append(channel)
    keys: dict[str, npt.NDArray[np.bool_]] = {}
    for size in {len(made) for made in together.values()}:
        paths = [path for path, made in together.items() if len(made) == size]
        # What Blender keeps is single precision, and that is what must be in bounds.
        values = np.array([[c.values for c in together[p]] for p in paths], dtype=np.float32).astype(np.float64)
        bounds = np.array([_bound(p, error) for p in paths])[:, None]
        keys |= dict(zip(paths, kept_keys(frames, values, np.broadcast_to(bounds, values.shape[:2])), strict=True))
    return [replace(c, kept=keys[c.path]) for c in channels]


def _bound(path: str, error: float) -> float:
    if path.endswith("rotation_quaternion"):
        return error / 4  # four components that are off by e turn by 4 e at most
    return error if path.startswith("key_blocks") else error * _PLACE
