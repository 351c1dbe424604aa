# SPDX-License-Identifier: GPL-3.0-or-later
"""The refinements of a take, kept in its action (``Action.smirk``), and the chosen take (``Scene.smirk_takes``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from smirk_core.refine.recipe import FACE_SLIDERS, GAIN_SLIDERS, Recipe

from ..key_notes import Keying
from ..take_store import has_take
from ..texts import refine as words
from ..texts import takes as take_words

__all__ = ["CLASSES", "is_pending", "keying_of", "recipe_of", "show_applied"]

_LABELS = {
    "brows": words.BROWS,
    "eyes": words.EYES,
    "mouth": words.MOUTH,
    "jaw": words.JAW,
    "head": words.HEAD,
    "gaze": words.GAZE,
}


def _smooth(region: str) -> Any:
    tip = words.SMOOTH_TIP + (words.MOUTH_TOO if region == "mouth" else "")
    return FloatProperty(name=_LABELS[region], description=tip, default=0.0, min=0.0, max=1.0, subtype="FACTOR")


def _gain(region: str) -> Any:
    tip = words.GAIN_HEAD_TIP if region == "head" else words.GAIN_TIP
    tip += words.MOUTH_TOO if region == "mouth" else ""
    return FloatProperty(name=_LABELS[region], description=tip, default=1.0, min=0.0, max=4.0, soft_max=2.0)


def _odd(settings: Any, _context: Any) -> None:
    if settings.window % 2 == 0:
        settings.window += 1


class SMIRK_PG_refine(bpy.types.PropertyGroup):
    """Refinements as they are set; *Apply* makes the curves so."""

    if not TYPE_CHECKING:
        smooth_brows: _smooth("brows")
        smooth_eyes: _smooth("eyes")
        smooth_mouth: _smooth("mouth")
        smooth_jaw: _smooth("jaw")
        smooth_head: _smooth("head")
        method: EnumProperty(
            name=words.METHOD,
            description=words.METHOD_TIP,
            items=(("savgol", *words.SAVGOL), ("one_euro", *words.ONE_EURO)),
        )
        window: IntProperty(
            name=words.WINDOW, description=words.WINDOW_TIP, default=9, min=3, max=99, soft_max=31, step=2, update=_odd
        )
        bad_frames: BoolProperty(name=words.BAD_FRAMES, description=words.BAD_FRAMES_TIP)
        use_neutral: BoolProperty(name=words.USE_NEUTRAL, description=words.USE_NEUTRAL_TIP)
        neutral_time: FloatProperty(
            name=words.NEUTRAL_TIME, description=words.NEUTRAL_TIME_TIP, min=0.0, soft_max=600.0, precision=3
        )
        neutral_gaze: BoolProperty(name=words.NEUTRAL_GAZE, description=words.NEUTRAL_GAZE_TIP)
        gain_brows: _gain("brows")
        gain_eyes: _gain("eyes")
        gain_mouth: _gain("mouth")
        gain_jaw: _gain("jaw")
        gain_head: _gain("head")
        gain_gaze: _gain("gaze")
        gaps: EnumProperty(
            name=words.GAPS,
            description=words.GAPS_TIP,
            items=(
                ("keep", *words.GAPS_KEEP),
                ("interpolate", *words.GAPS_INTERPOLATE),
                ("hold", *words.GAPS_HOLD),
            ),
        )
        confidence: FloatProperty(
            name=words.CONFIDENCE, description=words.CONFIDENCE_TIP, min=0.0, max=1.0, subtype="FACTOR"
        )
        mirror: BoolProperty(name=words.MIRROR, description=words.MIRROR_TIP)
        offset: FloatProperty(
            name=words.OFFSET, description=words.OFFSET_TIP, soft_min=-50.0, soft_max=50.0, min=-1e5, max=1e5, step=100
        )
        keying: EnumProperty(
            name=words.KEYING,
            description=words.KEYING_TIP,
            items=(("TRACKED", *words.TRACKED), ("EVERY", *words.EVERY), ("REDUCED", *words.REDUCED)),
        )
        error: FloatProperty(
            name=words.ERROR, description=words.ERROR_TIP, default=0.01, min=0.0001, max=1.0, soft_max=0.1, precision=4
        )
        foreign: StringProperty(options={"HIDDEN"})  # kinds of layers in force that are none of the above
        applied: StringProperty(options={"HIDDEN"})  # what the curves are made with, to see what is pending


def recipe_of(settings: Any, rate: float) -> Recipe:
    """The refinements of ``Action.smirk``; ``rate`` (scene frames per second) says what its frames are in seconds."""
    return Recipe(
        smooth=_changed(settings, "smooth", FACE_SLIDERS, 0.0),
        method=settings.method,
        window=settings.window,
        bad_frames=settings.bad_frames,
        gaps=settings.gaps,
        confidence=_decimal(settings.confidence),
        neutral=_decimal(settings.neutral_time) if settings.use_neutral else None,
        neutral_gaze=settings.neutral_gaze,
        gain=_changed(settings, "gain", GAIN_SLIDERS, 1.0),
        mirror=settings.mirror,
        offset=_decimal(settings.offset) / rate,
    )


def keying_of(settings: Any) -> Keying:
    """Where the keys are to be."""
    return Keying(settings.keying, _decimal(settings.error))


def show_applied(action: Any, layers: Sequence[Mapping[str, Any]], keying: Keying, rate: float) -> None:
    """Let ``Action.smirk``, where the add-on is registered, say what the curves of a take are made with.

    A stack of layers that the settings cannot express is named instead.
    """
    settings = getattr(action, "smirk", None)
    if settings is None:
        return
    recipe = Recipe.of(layers)
    settings.foreign = "" if recipe is not None else ", ".join(str(layer["kind"]) for layer in layers)
    recipe = recipe or Recipe()
    for name in FACE_SLIDERS:
        setattr(settings, f"smooth_{name}", recipe.smooth.get(name, 0.0))
    for name in GAIN_SLIDERS:
        setattr(settings, f"gain_{name}", recipe.gain.get(name, 1.0))
    for name in ("method", "window", "bad_frames", "gaps", "confidence", "neutral_gaze", "mirror"):
        setattr(settings, name, getattr(recipe, name))
    settings.use_neutral = recipe.neutral is not None
    settings.neutral_time = recipe.neutral or 0.0
    settings.offset = recipe.offset * rate
    settings.keying, settings.error = keying.kind, keying.error
    settings.applied = _text(settings)


def is_pending(settings: Any) -> bool:
    """Whether the settings were changed since they were applied."""
    return _text(settings) != (settings.applied or _UNTOUCHED)


def _text(settings: Any) -> str:
    return _as_text(recipe_of(settings, 1.0), keying_of(settings))


def _as_text(recipe: Recipe, keying: Keying) -> str:
    idle: dict[str, Any] = {}
    if not recipe.smooth:  # settings of what is off change nothing
        idle |= {"method": "", "window": 0}
    if recipe.gaps == "keep":
        idle["confidence"] = 0.0
    if recipe.neutral is None:
        idle["neutral_gaze"] = False
    error = keying.error if keying.kind == "REDUCED" else 0.0
    return json.dumps([asdict(recipe) | idle, keying.kind, error], sort_keys=True)


_UNTOUCHED = _as_text(Recipe(), Keying())


def _changed(settings: Any, kind: str, names: tuple[str, ...], rest: float) -> dict[str, float]:
    values = {name: _decimal(getattr(settings, f"{kind}_{name}")) for name in names}
    return {name: value for name, value in values.items() if value != rest}


def _decimal(single: float) -> float:
    """What a person typed: Blender keeps 0.3 in single precision, as 0.30000001192…"""
    return float(f"{single:.7g}")


def _index(settings: Any) -> int:
    chosen = settings.action
    return -1 if chosen is None else next((i for i, a in enumerate(bpy.data.actions) if a == chosen), -1)


def _choose(settings: Any, index: int) -> None:
    actions = bpy.data.actions
    if 0 <= index < len(actions):
        settings.action = actions[index]


class SMIRK_PG_takes(bpy.types.PropertyGroup):
    """Which take the panels mean. A pointer: it survives renaming, and sorting by name, of the list."""

    if not TYPE_CHECKING:
        action: PointerProperty(
            type=bpy.types.Action,
            name=take_words.TAKE,
            description=take_words.LIST_TIP,
            poll=lambda _self, action: has_take(action),
        )
        index: IntProperty(get=_index, set=_choose, description=take_words.LIST_TIP, options={"HIDDEN"})


CLASSES: tuple[type, ...] = (SMIRK_PG_refine, SMIRK_PG_takes)


def register() -> None:
    bpy.types.Action.smirk = PointerProperty(type=SMIRK_PG_refine)
    bpy.types.Scene.smirk_takes = PointerProperty(type=SMIRK_PG_takes)


def unregister() -> None:
    del bpy.types.Scene.smirk_takes
    del bpy.types.Action.smirk
