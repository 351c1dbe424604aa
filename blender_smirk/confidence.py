# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a take can be trusted, as a picture, as stretches of time and as markers; and a portrait for assets."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel
from smirk_core.refine.gaps import seen_frames
from smirk_core.rendering.portrait import portrait
from smirk_core.take import Take

from .actions import frames_of
from .refine import keyed_note, model_of_take
from .take_store import take_of

__all__ = [
    "MARKER_FOUND",
    "MARKER_LOST",
    "add_lost_markers",
    "lost_frames",
    "lost_stretches",
    "remove_lost_markers",
    "strip_pixels",
    "thumbnail_pixels",
]

Floats = npt.NDArray[np.floating[Any]]
MARKER_LOST, MARKER_FOUND = "Face lost", "Face found"
# Colours, as the display shows them: background, lost, and confidence from poor to good.
_BACK = np.array([0.13, 0.13, 0.13])
_LOST = np.array([0.86, 0.20, 0.18])
_POOR, _GOOD = np.array([0.90, 0.62, 0.18]), np.array([0.32, 0.68, 0.42])


def strip_pixels(take: Take, width: int, height: int) -> Floats:
    """Confidence over time as a picture (height, width, 4), top row first: bars from below, lost stretches in red.

    Every column shows the worst of its frames, so that a single lost frame is seen in the longest take.
    """
    seen = seen_frames(take.raw)
    trust = np.clip(take.raw["confidence"][:, 0], 0.0, 1.0) if "confidence" in take.raw else np.ones(len(take))
    edges = np.linspace(0, len(take), width + 1)
    first = np.minimum(edges[:-1].astype(np.intp), len(take) - 1)
    level = np.minimum.reduceat(trust, first)
    lost = np.maximum.reduceat((~seen).astype(np.int8), first) > 0
    colour = _POOR + level[:, None] * (_GOOD - _POOR)
    row = (np.arange(height)[::-1] + 0.5) / height
    filled = row[:, None] <= np.maximum(level, 0.06)[None]
    picture = np.ones((height, width, 4), dtype=np.float32)
    picture[..., :3] = np.where(filled[..., None], colour[None], _BACK)
    picture[:, lost, :3] = _LOST
    return picture


def lost_stretches(take: Take) -> list[tuple[int, int]]:
    """First and last frame number (of the take) of every stretch in which no face was seen."""
    lost = np.concatenate([[False], ~seen_frames(take.raw), [False]])
    edges = np.flatnonzero(lost[1:] != lost[:-1])
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def lost_frames(action: bpy.types.Action) -> list[tuple[float, float]]:
    """First and last scene frame of every stretch of a take in which no face was seen.

    Raises:
        TakeError: there is no take in the action.
    """
    take = take_of(action)
    note = keyed_note(action, take)
    frames = frames_of(take, note.rate, note.start)
    return [(float(frames[a]), float(frames[b])) for a, b in lost_stretches(take)]


def add_lost_markers(scene: bpy.types.Scene, action: bpy.types.Action) -> int:
    """Mark in the timeline where a take's face was lost and found again, instead of earlier such markers.

    Returns:
        How many stretches there are.

    Raises:
        TakeError: there is no take in the action.
    """
    take = take_of(action)
    note = keyed_note(action, take)
    remove_lost_markers(scene)
    frames = np.round(frames_of(take, note.rate, note.start)).astype(int)
    stretches = lost_stretches(take)
    for first, last in stretches:
        scene.timeline_markers.new(MARKER_LOST, frame=int(frames[first]))
        if last + 1 < len(take):
            scene.timeline_markers.new(MARKER_FOUND, frame=int(frames[last + 1]))
    return len(stretches)


def remove_lost_markers(scene: bpy.types.Scene) -> int:
    """Remove the markers of :func:`add_lost_markers`; returns how many there were. Others stay."""
    ours = [m for m in scene.timeline_markers if m.name in (MARKER_LOST, MARKER_FOUND)]
    for marker in ours:
        scene.timeline_markers.remove(marker)
    return len(ours)


def thumbnail_pixels(take: Take, model: HeadModel | None, size: int) -> Floats:
    """The head at the take's liveliest frame: (size, size, 4) in 0..1, top row first.

    Drawn without Blender, so that it works where nothing can be rendered. ``model`` is found where it is not given.
    """
    model = model_of_take(take) if model is None else model
    expression = take.filtered.get("expression")
    lively = 0 if expression is None else int(np.abs(expression - np.median(expression, axis=0)).sum(axis=1).argmax())
    pose = {k: v[lively : lively + 1] for k, v in take.filtered.items() if k not in ("camera", "rotation", "neck")}
    return portrait(model, pose | {"identity": take.identity[None]}, size)
