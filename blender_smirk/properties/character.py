# SPDX-License-Identifier: GPL-3.0-or-later
"""What a character remembers: its table of channels and its bones. It lives on the mesh, so a copy takes it along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (  # pyright: ignore[reportMissingImports]
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.retarget.mapping import KeyMap, Link

from ..take_store import has_take
from ..texts import character as words

__all__ = ["SMIRK_PG_channel_link", "SMIRK_PG_character", "read_links", "write_links"]


class SMIRK_PG_channel_link(bpy.types.PropertyGroup):
    """One row of the table."""

    if not TYPE_CHECKING:
        enabled: BoolProperty(name=words.USE, description=words.USE_TIP, default=True)
        source: EnumProperty(
            name=words.SOURCE, description=words.SOURCE_TIP, items=[(n, n, "") for n in ARKIT_NAMES], default="jawOpen"
        )
        target: StringProperty(name=words.TARGET, description=words.TARGET_TIP)
        gain: FloatProperty(name=words.GAIN, description=words.GAIN_TIP, default=1.0, soft_min=-2.0, soft_max=3.0)
        offset: FloatProperty(name=words.OFFSET, description=words.OFFSET_TIP, soft_min=-1.0, soft_max=1.0)
        kind: StringProperty(name=words.KIND, description=words.KIND_TIP)


def _playable(_self: Any, action: bpy.types.Action) -> bool:
    return has_take(action)


def _armature(_self: Any, obj: bpy.types.Object) -> bool:
    return obj.type == "ARMATURE"


def _bone(part: str) -> Any:
    return StringProperty(name=words.BONES[part], description=words.BONE_TIP)


def _gain() -> Any:
    return FloatProperty(name=words.BONE_GAIN, description=words.BONE_GAIN_TIP, default=1.0, soft_min=0.0, soft_max=2.0)


class SMIRK_PG_character(bpy.types.PropertyGroup):
    """Settings of one character, on the mesh of its face."""

    if not TYPE_CHECKING:
        links: CollectionProperty(type=SMIRK_PG_channel_link)
        link_index: IntProperty(options={"HIDDEN"})
        take: PointerProperty(name=words.TAKE, description=words.TAKE_TIP, type=bpy.types.Action, poll=_playable)
        armature: PointerProperty(
            name=words.ARMATURE, description=words.ARMATURE_TIP, type=bpy.types.Object, poll=_armature
        )
        head_bone: _bone("head")
        jaw_bone: _bone("jaw")
        left_eye_bone: _bone("left_eye")
        right_eye_bone: _bone("right_eye")
        head_gain: _gain()
        jaw_gain: _gain()
        left_eye_gain: _gain()
        right_eye_gain: _gain()
        others: BoolProperty(name=words.OTHERS, description=words.OTHERS_TIP)
        mirror: BoolProperty(name=words.MIRROR, description=words.MIRROR_TIP)


def read_links(settings: Any) -> KeyMap:
    """The table as data; rows without a key are left out."""
    return KeyMap(tuple(Link(r.source, r.target, r.gain, r.offset, r.enabled) for r in settings.links if r.target))


def write_links(settings: Any, keys: KeyMap, kinds: tuple[str, ...] = ()) -> None:
    """Replace the table."""
    settings.links.clear()
    for number, link in enumerate(keys.links):
        row = settings.links.add()
        row.name = link.source
        row.source, row.target, row.gain = link.source, link.target, link.gain
        row.offset, row.enabled = link.offset, link.enabled
        row.kind = kinds[number] if number < len(kinds) else ""
    settings.link_index = min(settings.link_index, max(0, len(settings.links) - 1))


CLASSES: tuple[type, ...] = (SMIRK_PG_channel_link, SMIRK_PG_character)


def register() -> None:
    bpy.types.Object.smirk_character = PointerProperty(type=SMIRK_PG_character)


def unregister() -> None:
    del bpy.types.Object.smirk_character
