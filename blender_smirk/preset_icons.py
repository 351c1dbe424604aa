# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the expression presets, loaded when they are first drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import smirk_core
from smirk_core.heads.presets import PRESETS

__all__ = ["clear", "icon", "items"]

_FOLDER = Path(smirk_core.__file__).parent / "assets" / "presets"
_loaded: dict[str, Any] = {}  # "": the collection
_items: list[tuple[str, str, str, int, int]] = []  # Blender does not keep the words of dynamic enums: somebody has to


def icon(name: str) -> int:
    """Icon number of a preset; 0 where there is no picture of it."""
    import bpy.utils.previews  # pyright: ignore[reportMissingImports]

    if "" not in _loaded:
        _loaded[""] = bpy.utils.previews.new()
    collection = _loaded[""]
    if name not in collection:
        path = _FOLDER / f"{name}.png"
        if not path.is_file():
            return 0
        collection.load(name, str(path), "IMAGE")
    return collection[name].icon_id


def items(_self: Any, _context: Any) -> list[tuple[str, str, str, int, int]]:
    """Items of an EnumProperty: every preset with its picture."""
    if not _items:
        _items.extend((p.name, p.label, "", icon(p.name), number) for number, p in enumerate(PRESETS))
    return _items


def clear() -> None:
    """Free the pictures."""
    import bpy.utils.previews  # pyright: ignore[reportMissingImports]

    _items.clear()
    if "" in _loaded:
        bpy.utils.previews.remove(_loaded.pop(""))
