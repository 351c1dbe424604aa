# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders of the panel *Skin*: they read and write the nodes of the materials, where the numbers are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import FloatProperty, PointerProperty  # pyright: ignore[reportMissingImports]

from ..rig import HeadObjects
from ..skin_look import number_of, set_number
from ..texts import skin as words

__all__ = ["FIELDS", "SMIRK_PG_skin"]

# Property -> value node.
FIELDS = {name.lower().replace(" ", "_"): name for name in words.NUMBERS}


def _mesh(settings: Any) -> Any:
    head = HeadObjects.of(settings.id_data)
    return settings.id_data if head is None else head.mesh


def _slider(name: str) -> Any:
    label, tip = words.NUMBERS[name]
    return FloatProperty(
        name=label, description=tip, min=0.0, max=1.0, subtype="FACTOR", options=set(),
        get=lambda self: number_of(_mesh(self), name), set=lambda self, value: set_number(_mesh(self), name, value),
    )  # fmt: skip


class SMIRK_PG_skin(bpy.types.PropertyGroup):
    """The skin of one head."""

    if not TYPE_CHECKING:
        redness: _slider("Redness")
        freckles: _slider("Freckles")
        age: _slider("Age")
        oiliness: _slider("Oiliness")
        pores: _slider("Pores")
        sockets: _slider("Sockets")
        stubble: _slider("Stubble")
        shaved_hair: _slider("Shaved hair")


CLASSES: tuple[type, ...] = (SMIRK_PG_skin,)


def register() -> None:
    bpy.types.Object.smirk_skin = PointerProperty(type=SMIRK_PG_skin)


def unregister() -> None:
    del bpy.types.Object.smirk_skin
