# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the expression presets and of the people, loaded when they are first drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import smirk_core
from smirk_core.groom.people import PEOPLE
from smirk_core.heads.presets import PRESETS

__all__ = ["clear", "icon", "items", "people"]

_ASSETS = Path(smirk_core.__file__).parent / "assets"
_loaded: dict[str, Any] = {}  # "": the collection
_people: list[tuple[str, str, str, int, int]] = []
_items: list[tuple[str, str, str, int, int]] = []  # Blender does not keep the words of dynamic enums: somebody has to


def icon(name: str, folder: str = "presets") -> int:
    """Icon number of a preset or, from the folder ``people``, a person; 0 where there is no picture of it."""
    import bpy.utils.previews  # pyright: ignore[reportMissingImports]

    if "" not in _loaded:
        _loaded[""] = bpy.utils.previews.new()
    collection = _loaded[""]
    key = f"{folder}/{name}"
    if key not in collection:
        path = _ASSETS / folder / f"{name}.png"
        if not path.is_file():
            return 0
        collection.load(key, str(path), "IMAGE")
    return collection[key].icon_id


def items(_self: Any, _context: Any) -> list[tuple[str, str, str, int, int]]:
    """Items of an EnumProperty: every preset with its picture."""
    if not _items:
        _items.extend((p.name, p.label, "", icon(p.name), number) for number, p in enumerate(PRESETS))
    return _items


def people(_self: Any, _context: Any) -> list[tuple[str, str, str, int, int]]:
    """Items of an EnumProperty: every person with a picture."""
    if not _people:
        _people.extend((n, p.label, "", icon(n, "people"), number) for number, (n, p) in enumerate(PEOPLE.items()))
    return _people


def clear() -> None:
    """Free the pictures."""
    import bpy.utils.previews  # pyright: ignore[reportMissingImports]

    _items.clear()
    _people.clear()
    if "" in _loaded:
        bpy.utils.previews.remove(_loaded.pop(""))
