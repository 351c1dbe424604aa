# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture is set to (in the scene) and how the running one stands (in the window manager, never undone)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .. import media_info
from ..camera import LENS
from ..texts import capture as words
from ..worker_python import worker_python

__all__ = ["SMIRK_PG_capture", "SMIRK_PG_job"]

# Blender's // paths are understood; from 4.5 on that has to be said.
_RELATIVE: set[str] = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5) else set()


def _media_changed(settings: Any, _context: Any) -> None:
    """Another file: its faces are others, and what it is has to be found out anew."""
    settings.found.clear()
    if settings.faces == "PICKED":
        settings.faces = "LARGEST"
    media_info.look(settings.media, settings.sequence, worker_python())


class SMIRK_PG_capture_file(bpy.types.PropertyGroup):
    """One more file to capture after the first."""

    if not TYPE_CHECKING:
        path: StringProperty(subtype="FILE_PATH", options=_RELATIVE)


class SMIRK_PG_found_face(bpy.types.PropertyGroup):
    """A face that was found in the footage."""

    if not TYPE_CHECKING:
        picked: BoolProperty(name=words.PICKED, description=words.PICKED_TIP, default=True)
        number: IntProperty()
        seen: FloatProperty()


class SMIRK_PG_capture(bpy.types.PropertyGroup):
    """Settings of the next capture: ``Scene.smirk_capture``."""

    if not TYPE_CHECKING:
        media: StringProperty(name=words.MEDIA, description=words.MEDIA_TIP, update=_media_changed)
        more: CollectionProperty(type=SMIRK_PG_capture_file)
        sequence: BoolProperty(name=words.SEQUENCE, description=words.SEQUENCE_TIP, update=_media_changed)
        faces: EnumProperty(
            name=words.FACES,
            description=words.FACES_TIP,
            items=[
                ("LARGEST", words.FACES_LARGEST, words.FACES_LARGEST_TIP),
                ("ALL", words.FACES_ALL, words.FACES_ALL_TIP),
                ("COUNT", words.FACES_COUNT, words.FACES_COUNT_TIP),
                ("PICKED", words.FACES_PICKED, words.FACES_PICKED_TIP),
            ],
        )
        face_count: IntProperty(name=words.COUNT, description=words.COUNT_TIP, default=2, min=1, max=16)
        found: CollectionProperty(type=SMIRK_PG_found_face)
        use_range: BoolProperty(name=words.RANGE, description=words.RANGE_TIP)
        start: IntProperty(name=words.START, description=words.START_TIP, min=0)
        end: IntProperty(name=words.END, description=words.END_TIP, min=0)
        step: IntProperty(name=words.STEP, description=words.STEP_TIP, default=1, min=1, soft_max=10)
        head: EnumProperty(
            name=words.HEAD,
            description=words.HEAD_TIP,
            items=[
                ("OPEN", words.HEAD_OPEN, words.HEAD_OPEN_TIP),
                ("FLAME", words.HEAD_FLAME, words.HEAD_FLAME_TIP),
                ("FILE", words.HEAD_FILE, words.HEAD_FILE_TIP),
            ],
        )
        head_file: StringProperty(
            name=words.HEAD_PATH, description=words.HEAD_PATH_TIP, subtype="FILE_PATH", options=_RELATIVE
        )
        target: EnumProperty(
            name=words.TARGET,
            description=words.TARGET_TIP,
            items=[
                ("NEW", words.TARGET_NEW, words.TARGET_NEW_TIP),
                ("SELECTED", words.TARGET_SELECTED, words.TARGET_SELECTED_TIP),
            ],
        )
        frame_start: IntProperty(name=words.FRAME_START, description=words.FRAME_START_TIP, default=1)
        footage: BoolProperty(name=words.FOOTAGE, description=words.FOOTAGE_TIP, default=True)
        solve: BoolProperty(name=words.SOLVE, description=words.SOLVE_TIP, default=True)
        raw: BoolProperty(name=words.RAW, description=words.RAW_TIP)
        lens: FloatProperty(
            name=words.LENS, description=words.LENS_TIP, default=LENS, min=1.0, soft_min=18.0, soft_max=200.0
        )
        encoder: EnumProperty(
            name=words.ENCODER,
            description=words.ENCODER_TIP,
            items=[
                ("AUTO", words.ENCODER_AUTO, words.ENCODER_AUTO_TIP),
                ("NONE", words.ENCODER_NONE, words.ENCODER_NONE_TIP),
                ("SMIRK", words.ENCODER_SMIRK, words.ENCODER_SMIRK_TIP),
                ("FILE", words.ENCODER_FILE, words.ENCODER_FILE_TIP),
            ],
        )
        encoder_file: StringProperty(
            name=words.ENCODER_PATH, description=words.ENCODER_PATH_TIP, subtype="FILE_PATH", options=_RELATIVE
        )


class SMIRK_PG_job(bpy.types.PropertyGroup):
    """How the capture that runs stands: ``WindowManager.smirk_job``. Written by the timer, read by the panel."""

    if not TYPE_CHECKING:
        running: BoolProperty()
        stopping: BoolProperty()
        name: StringProperty()
        stage: StringProperty()
        fraction: FloatProperty(min=0.0, max=1.0, subtype="FACTOR")
        left: StringProperty()
        waiting: IntProperty()
        message: StringProperty()
        failed: BoolProperty()


CLASSES = (SMIRK_PG_capture_file, SMIRK_PG_found_face, SMIRK_PG_capture, SMIRK_PG_job)


def register() -> None:
    """Hang the settings on scenes and windows."""
    bpy.types.Scene.smirk_capture = PointerProperty(type=SMIRK_PG_capture)
    bpy.types.WindowManager.smirk_job = PointerProperty(type=SMIRK_PG_job)


def unregister() -> None:
    """Take them away."""
    media_info.forget()
    del bpy.types.Scene.smirk_capture
    del bpy.types.WindowManager.smirk_job
