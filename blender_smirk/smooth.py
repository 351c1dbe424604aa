# SPDX-License-Identifier: GPL-3.0-or-later
"""A round outline in rendered pictures: one subdivision that works when rendering and costs nothing in the viewport.

The mesh itself stays as it is, vertex for vertex the head model's. glTF and FBX leave the modifier out, USD says that
the mesh is to be subdivided.
"""

from __future__ import annotations

from typing import Any

import bpy

__all__ = ["SMOOTH_MODIFIER", "add_smoothing"]

SMOOTH_MODIFIER = "Smooth in renders"


def add_smoothing(mesh: bpy.types.Object) -> None:
    """Let a head be subdivided once in renders; nothing where it is already."""
    if SMOOTH_MODIFIER in mesh.modifiers:
        return
    modifier: Any = mesh.modifiers.new(SMOOTH_MODIFIER, "SUBSURF")
    modifier.levels, modifier.render_levels = 0, 1
    modifier.show_expanded = False
