# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the first head of a scene into view: a head is a hand wide, and a new scene shows metres."""

from __future__ import annotations

import bpy

from .rig import HeadObjects

__all__ = ["frame_first_head"]


def frame_first_head(context: bpy.types.Context, rigs: list[str]) -> bool:
    """Look at the selected heads in the 3D views of the window, unless the scene had heads before.

    Views through a camera, and a view that is locked, stay as they are; returns whether there was anything to do.
    """
    heads = {head.armature.name for head in map(HeadObjects.of, context.scene.objects) if head is not None}
    window = context.window
    if window is None or heads - set(rigs):
        return False
    for area in window.screen.areas:
        if area.type != "VIEW_3D" or area.spaces.active.region_3d.view_perspective == "CAMERA":
            continue
        region = next((r for r in area.regions if r.type == "WINDOW"), None)
        with context.temp_override(window=window, area=area, region=region):
            if bpy.ops.view3d.view_selected.poll():
                bpy.ops.view3d.view_selected()
    return True
