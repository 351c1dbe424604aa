# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel *Capture*: what to capture, how it stands, what came of it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, ClassVar

import bpy

from .. import capture_preview, media_info
from ..capture_status import LIVE
from ..face_search import face_icon
from ..texts import capture as words

__all__ = ["CLASSES", "wrapped"]


def wrapped(layout: Any, context: bpy.types.Context, text: str, icon: str = "NONE", spare: float = 60.0) -> None:
    """A text as labels that fit into the region but ``spare`` pixels, the icon before its first line."""
    scale: float = context.preferences.system.ui_scale
    width = context.region.width / scale if context.region is not None else 250.0
    column = layout.column(align=True)
    column.scale_y = 0.8
    for paragraph in text.split("\n"):
        for line in textwrap.wrap(paragraph, max(16, int((width - spare) / 6.5))):
            column.label(text=line, icon=icon)
            icon = "BLANK1" if icon != "NONE" else icon


def facts_text(facts: media_info.MediaFacts) -> str:
    """What is known of a file in one line: kind, size, rate, length."""
    parts = [words.KIND.get(facts.kind, facts.kind), f"{facts.width} × {facts.height}"]
    if facts.rate:
        parts.append(f"{facts.rate:.4g} fps")
    if facts.frames > 1:
        parts.append(words.FRAMES.format(count=facts.frames))
    if facts.duration:
        parts.append(f"{int(facts.duration) // 60}:{facts.duration % 60:04.1f}")
    if facts.has_sound:
        parts.append(words.SOUND)
    return ", ".join(parts)


class _InSidebar:
    """A panel of our tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Smirk"


class SMIRK_PT_capture(_InSidebar, bpy.types.Panel):
    bl_idname = "SMIRK_PT_capture"
    bl_label = words.PANEL
    bl_order = 10

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        scene: Any = context.scene
        manager: Any = context.window_manager
        settings, job = scene.smirk_capture, manager.smirk_job
        _draw_media(layout, context, settings)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        _draw_faces(column, settings)
        _draw_range(column, settings)
        column.prop(settings, "head")
        if settings.head == "FILE":
            column.prop(settings, "head_file", text=" ")
        row = layout.row()
        row.prop(settings, "target", expand=True)
        row = layout.row()
        row.scale_y = 1.5
        row.enabled = bool(settings.media)
        count = 1 + len(settings.more)
        text = words.CAPTURE[0] if count == 1 else words.CAPTURE_MANY.format(count=count)
        row.operator("smirk.capture", text=words.CAPTURE_NEXT if job.running else text, icon="REC")
        if job.running:
            _draw_job(layout, job)
        elif job.message:
            _draw_message(layout, context, job)


class SMIRK_PT_capture_advanced(_InSidebar, bpy.types.Panel):
    bl_idname = "SMIRK_PT_capture_advanced"
    bl_label = words.ADVANCED
    bl_parent_id = "SMIRK_PT_capture"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene: Any = context.scene
        settings = scene.smirk_capture
        layout.prop(settings, "frame_start")
        layout.prop(settings, "lens")
        column = layout.column(heading=words.WITH)
        column.prop(settings, "footage")
        column.prop(settings, "solve")
        column.prop(settings, "raw")
        layout.prop(settings, "encoder")
        if settings.encoder == "FILE":
            layout.prop(settings, "encoder_file", text=" ")


def _draw_media(layout: Any, context: bpy.types.Context, settings: Any) -> None:
    row = layout.row(align=True)
    row.prop(settings, "media", text="")
    row.operator("smirk.pick_media", text="", icon="FILEBROWSER")
    if not settings.media:
        wrapped(layout, context, words.NO_MEDIA, "INFO")
        return
    facts = media_info.facts(settings.media)
    if facts is not None and facts.looking:
        layout.label(text=words.LOOKING, icon="TIME")
    elif facts is not None and facts.problem:
        wrapped(layout, context, facts.problem, "ERROR")
    elif facts is not None:
        wrapped(layout, context, facts_text(facts), _KIND_ICONS.get(facts.kind, "FILE"))
    if len(settings.more):
        row = layout.row()
        names = ", ".join(Path(item.path).name for item in settings.more)
        row.label(text=f"{words.FILES_MORE.format(count=len(settings.more))}: {names}", icon="ADD")
        row.operator("smirk.clear_media", text="", icon="X", emboss=False)
    if settings.sequence or (facts is not None and facts.in_run):
        layout.prop(settings, "sequence")


_KIND_ICONS = {"photo": "IMAGE_DATA", "video": "FILE_MOVIE", "sequence": "RENDERLAYERS"}


def _draw_faces(column: Any, settings: Any) -> None:
    row = column.row(align=True)
    row.prop(settings, "faces")
    row.operator("smirk.find_faces", text="", icon="VIEWZOOM")
    if settings.faces == "COUNT":
        column.prop(settings, "face_count")
    if settings.faces != "PICKED":
        return
    grid = column.grid_flow(row_major=True, columns=min(3, max(1, len(settings.found))), even_columns=True, align=True)
    grid.use_property_split = False
    for face in settings.found:
        box = grid.box().column(align=True)
        number = capture_preview.icon(face_icon(face.number))
        if number:
            box.template_icon(icon_value=number, scale=3.5)
        label = words.FACE_LABEL.format(number=face.number + 1)
        box.prop(face, "picked", text=label if face.seen >= 0.995 else f"{label}, {face.seen:.0%}", toggle=True)


def _draw_range(column: Any, settings: Any) -> None:
    row = column.row(heading=words.RANGE, align=True)
    row.prop(settings, "use_range", text="")
    inner = row.row(align=True)
    inner.enabled = settings.use_range
    inner.use_property_split = False
    inner.prop(settings, "start", text="")
    inner.prop(settings, "end", text="")
    if settings.use_range:
        column.prop(settings, "step")


def _draw_job(layout: Any, job: Any) -> None:
    box = layout.box()
    row = box.row()
    row.label(text=job.name, icon="FILE_MOVIE")
    if job.left:
        right = row.row()
        right.alignment = "RIGHT"
        right.label(text=job.left)
    column = box.column(align=True)
    if bpy.app.version >= (4, 0):
        column.progress(factor=job.fraction, text=f"{job.stage} {job.fraction:.0%}")
    else:  # a slider that nobody can drag is the progress bar of older versions
        bar = column.row()
        bar.enabled = False
        bar.prop(job, "fraction", text=job.stage, slider=True)
    if job.stopping:
        box.label(text=words.STOPPING_KEEPS, icon="INFO")
    picture = capture_preview.icon(LIVE)
    if picture:
        box.template_icon(icon_value=picture, scale=6.0)
    row = box.row(align=True)
    row.operator("smirk.capture_cancel", text=words.DISCARD[0] if job.stopping else words.CANCEL[0], icon="CANCEL")
    if job.waiting:
        row = box.row()
        row.label(text=words.QUEUED.format(count=job.waiting), icon="SORTTIME")
        row.operator("smirk.capture_unqueue", text="", icon="X", emboss=False)


def _draw_message(layout: Any, context: bpy.types.Context, job: Any) -> None:
    box = layout.box()
    row = box.row()
    wrapped(row, context, job.message, "ERROR" if job.failed else "CHECKMARK", spare=110.0)
    row.operator("smirk.dismiss_message", text="", icon="X", emboss=False)
    if job.failed:
        box.operator("smirk.copy_report", icon="COPYDOWN")


CLASSES = (SMIRK_PT_capture, SMIRK_PT_capture_advanced)
