# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of a head in a few numbers: presets, live values in the materials' nodes, and back again."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import bpy

from smirk_core.errors import AssetError
from smirk_core.skin.look import PRESETS, Makeup, SkinLook
from smirk_core.skin.maps import mean_colour
from smirk_core.skin.pigments import skin_colour

from .look import has_look, set_colour
from .materials import PART_PROPERTY
from .skin_material import NUMBERS

__all__ = ["has_numbers", "number_of", "set_number", "set_skin", "skin_materials", "skin_of"]

_LOOK = "smirk_skin_look"  # custom property of the skin's material: its SkinLook as JSON
_SKIN = ("skin", "lips")


def skin_materials(mesh: bpy.types.Object) -> list[Any]:
    """The materials of a head that show skin, of this file."""
    found = dict.fromkeys(s.material for s in mesh.material_slots if s.material is not None)
    mine = [m for m in found if m.library is None and m.node_tree is not None and m.get(PART_PROPERTY) in _SKIN]
    return [m for m in mine if any(n.type == "BSDF_PRINCIPLED" for n in m.node_tree.nodes)]


def set_skin(mesh: bpy.types.Object, skin: SkinLook | str) -> SkinLook:
    """Give a head a skin: one of :data:`smirk_core.skin.PRESETS` by name, or a look.

    Raises:
        AssetError: there is no preset of this name, or the head's materials are not those it was built with.
    """
    if isinstance(skin, str):
        if skin not in PRESETS:
            raise AssetError(f"There is no skin '{skin}'. There are: {', '.join(PRESETS)}.")
        skin = PRESETS[skin]
    if not has_look(mesh):
        raise AssetError("The materials of this head are not those it was built with, so they can wear no other skin.")
    tone, lips = mean_colour(skin)
    flush = skin_colour(skin.melanin, min(0.5, 3.2 * skin.blood))
    hair = tuple(((c + 0.055) / 1.055) ** 2.4 for c in skin.hair)
    bare = tuple(0.45 * float(t) + 0.2 * float(tone.mean()) + 0.2 * h for t, h in zip(tone, hair, strict=True))
    for name, colour in (("Skin tone", tone), ("Lips", lips), ("Flush", flush), ("Scalp", bare)):
        set_colour(mesh, name, (float(colour[0]), float(colour[1]), float(colour[2])))
    for name, (field, _) in NUMBERS.items():
        set_number(mesh, name, (skin.age - 25) / 50 if field == "age" else getattr(skin, field))
    for material in skin_materials(mesh):
        material[_LOOK] = json.dumps(asdict(skin))
    return skin


def skin_of(mesh: bpy.types.Object) -> SkinLook:
    """The skin that a head was given last, with the numbers that were turned since."""
    look = next((_read(m[_LOOK]) for m in skin_materials(mesh) if _LOOK in m), SkinLook())
    turned = {}
    for name, (field, _) in NUMBERS.items():
        value = number_of(mesh, name)
        turned[field] = 25 + 50 * value if field == "age" else min(1.0, max(0.0, value))
    return replace(look, **turned)


def _read(text: str) -> SkinLook:
    stored: dict[str, Any] = json.loads(text)
    makeup: dict[str, Any] = stored.pop("makeup")
    plain: dict[str, Any]
    made: dict[str, Any]
    plain, made = ({k: tuple(v) if isinstance(v, list) else v for k, v in d.items()} for d in (stored, makeup))
    return SkinLook(**plain, makeup=Makeup(**made))


def number_of(mesh: bpy.types.Object, name: str) -> float:
    """One of :data:`.skin_material.NUMBERS`; its first value where the head has no such node."""
    for material in skin_materials(mesh):
        node = material.node_tree.nodes.get(name)
        if node is not None:
            return float(node.outputs[0].default_value)
    return NUMBERS[name][1]


def set_number(mesh: bpy.types.Object, name: str, value: float) -> None:
    """Turn one of :data:`.skin_material.NUMBERS` in all skin materials of a head."""
    for material in skin_materials(mesh):
        node = material.node_tree.nodes.get(name)
        if node is not None:
            node.outputs[0].default_value = value


def has_numbers(mesh: bpy.types.Object) -> bool:
    """Whether the head's skin has numbers that can be turned."""
    return any(m.node_tree.nodes.get("Redness") is not None for m in skin_materials(mesh))
