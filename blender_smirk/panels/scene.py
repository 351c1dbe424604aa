# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Scene*: camera, footage, sound and frame rate of the chosen head."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..footage_view import VIEWS, head_cameras
from ..operators.base import chosen_head
from ..texts import scene as words
from ..texts import takes as take_words

__all__ = ["CLASSES"]


class SMIRK_PT_scene(bpy.types.Panel):
    bl_idname = "SMIRK_PT_scene"
    bl_label = words.PANEL
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    bl_order = 50

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        head = chosen_head(context)
        cameras = {} if head is None else head_cameras(head)
        if not cameras:
            layout.label(text=take_words.NO_HEAD if head is None else words.NO_CAMERA, icon="INFO")
            return
        layout.label(text=words.CAMERA, icon="CAMERA_DATA")
        row = layout.row(align=True)
        for view in VIEWS:
            camera: Any = cameras.get(view)
            label = words.ORTHOGRAPHIC[0] if view == "ORTHOGRAPHIC" else words.PERSPECTIVE[0]
            used = camera is not None and context.scene.camera == camera
            row.operator("smirk.match_camera", text=label, depress=used).view = view
        perspective: Any = cameras.get("PERSPECTIVE")
        if perspective is not None:
            row = layout.row(align=True)
            row.label(text=words.LENS_MM)
            for lens in (35.0, 50.0, 85.0, 135.0):
                used = abs(perspective.data.lens - lens) < 1e-3
                button = row.operator("smirk.match_camera", text=f"{lens:g}", depress=used)
                button.view, button.lens = "PERSPECTIVE", lens
        _draw_footage(layout, context.scene.camera if context.scene.camera in cameras.values() else perspective)
        layout.label(text=words.POLICY, icon="TIME")
        row = layout.row(align=True)
        row.operator("smirk.set_frame_rate", text=words.RATE_FOOTAGE[0]).policy = "FOOTAGE"
        row.operator("smirk.set_frame_rate", text=words.RATE_SCENE[0]).policy = "SCENE"


def _draw_footage(layout: Any, camera: Any) -> None:
    layout.label(text=words.FOOTAGE, icon="FILE_MOVIE")
    backgrounds: Any = camera.data.background_images if camera is not None else []
    shown = camera is not None and len(backgrounds) > 0 and camera.data.show_background_images
    row = layout.row(align=True)
    text, icon = (words.HIDE, "HIDE_OFF") if shown else (words.SHOW[0], "HIDE_ON")
    row.operator("smirk.show_footage", text=text, icon=icon).show = not shown
    if shown:
        row.prop(backgrounds[0], "alpha", text=words.OPACITY, slider=True)
    row = layout.row(align=True)
    row.operator("smirk.set_sound", text=words.SOUND_ON, icon="PLAY_SOUND").on = True
    row.operator("smirk.set_sound", text=words.SOUND_OFF, icon="MUTE_IPO_ON").on = False


CLASSES: tuple[type, ...] = (SMIRK_PT_scene,)
