# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of the panel *Head*. Colours are read from and written to the materials: they are kept in one place only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import EnumProperty, FloatProperty, FloatVectorProperty, PointerProperty  # pyright: ignore[reportMissingImports]

from .. import preset_icons
from ..look import colour_of, roughness_of, set_colour, set_roughness
from ..rig import HeadObjects
from ..texts import groom as person_words
from ..texts import head as words

__all__ = ["SMIRK_PG_head"]


def _mesh(settings: Any) -> Any:
    head = HeadObjects.of(settings.id_data)
    return settings.id_data if head is None else head.mesh


def _read(name: str) -> Callable[[Any], tuple[float, float, float]]:
    return lambda self: colour_of(_mesh(self), name)


def _write(name: str) -> Callable[[Any, Any], None]:
    return lambda self, value: set_colour(_mesh(self), name, tuple(value))


def _colour(text: tuple[str, str], name: str) -> Any:
    return FloatVectorProperty(
        name=text[0], description=text[1], subtype="COLOR", size=3, min=0.0, max=1.0,
        get=_read(name), set=_write(name), options=set(),
    )  # fmt: skip


def _roughness() -> Any:
    # A function of the module: annotations are evaluated late, and a lambda among them would not find its names.
    return FloatProperty(
        name=words.ROUGHNESS[0], description=words.ROUGHNESS[1], min=0.0, max=1.0, subtype="FACTOR", options=set(),
        get=lambda self: roughness_of(_mesh(self)), set=lambda self, value: set_roughness(_mesh(self), value),
    )  # fmt: skip


class SMIRK_PG_head(bpy.types.PropertyGroup):
    """Settings of one head, on its armature and its mesh alike."""

    if not TYPE_CHECKING:
        preset: EnumProperty(name=words.PRESET[0], description=words.PRESET[1], items=preset_icons.items)
        person: EnumProperty(name=person_words.WHO[0], description=person_words.WHO[1], items=preset_icons.people)
        skin: _colour(words.SKIN, "Skin tone")
        lips: _colour(words.LIPS, "Lips")
        iris: _colour(words.IRIS, "Iris")
        roughness: _roughness()


CLASSES: tuple[type, ...] = (SMIRK_PG_head,)


def register() -> None:
    bpy.types.Object.smirk_head = PointerProperty(type=SMIRK_PG_head)


def unregister() -> None:
    del bpy.types.Object.smirk_head
    preset_icons.clear()
