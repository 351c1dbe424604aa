# SPDX-License-Identifier: Apache-2.0
"""The file that is open, boiled down to something that can be compared."""

from __future__ import annotations

from typing import Any

import bpy

# Of the window, not of the file.
_OTHERS = {"window_managers", "workspaces", "screens", "brushes", "palettes", "linestyles", "texts", "fonts"}


def fingerprint() -> dict[str, Any]:
    """Names of all data-blocks, and the settings of the scene that a capture changes."""
    blocks = {
        prop.identifier: sorted(block.name_full for block in getattr(bpy.data, prop.identifier))
        for prop in bpy.types.BlendData.bl_rna.properties
        if prop.type == "COLLECTION" and prop.identifier not in _OTHERS
    }
    scene = bpy.context.scene
    active = bpy.context.view_layer.objects.active
    render = scene.render
    return {
        **blocks,
        "objects in the scene": sorted(obj.name for obj in scene.objects),
        "collections in the scene": sorted(child.name for child in scene.collection.children_recursive),
        "actions": {
            obj.name: obj.animation_data.action.name
            for obj in bpy.data.objects
            if obj.animation_data is not None and obj.animation_data.action is not None
        },
        "frames": (scene.frame_start, scene.frame_end, scene.frame_current),
        "rate": (render.fps, render.fps_base),
        "size": (render.resolution_x, render.resolution_y, render.resolution_percentage),
        "camera": scene.camera and scene.camera.name,
        "world": scene.world and scene.world.name,
        "playback": scene.sync_mode,
        "strips": scene.sequence_editor and sorted(s.name for s in scene.sequence_editor.strips),
        "active": active and active.name,
        "mode": bpy.context.mode,
    }
