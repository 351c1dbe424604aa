# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: which Python tracks and what it has, the face model, the person's own files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from smirk_core import user_assets
from smirk_core.errors import SmirkError

from . import engine_test, face_model, online_access
from .texts import preferences as words

__all__ = ["CLASSES", "Defaults", "SMIRK_AP_preferences", "get"]


@dataclass(frozen=True)
class Defaults:
    """What :func:`get` gives where the add-on is used without being an add-on; the same names as the preferences.

    Attributes:
        python: program that tracking runs in; "": Blender's.
        engine_report: what the last test found, JSON; "": none.
        show_details: whether all of that is shown.
    """

    python: str = ""
    engine_report: str = ""
    show_details: bool = False


def get() -> Any:
    """The preferences, or :class:`Defaults` where Blender knows no add-on of this name (``import blender_smirk``)."""
    addon = bpy.context.preferences.addons.get(__package__ or "")
    preferences = getattr(addon, "preferences", None)
    return Defaults() if preferences is None else preferences


class SMIRK_AP_preferences(bpy.types.AddonPreferences):
    """Edit > Preferences > Add-ons > SMIRK."""

    bl_idname = __package__ or "blender_smirk"

    python: bpy.props.StringProperty(  # pyright: ignore[reportInvalidTypeForm]
        name=words.PYTHON, description=words.PYTHON_TIP, subtype="FILE_PATH"
    )
    engine_report: bpy.props.StringProperty(options={"HIDDEN"})  # pyright: ignore[reportInvalidTypeForm]
    show_details: bpy.props.BoolProperty(  # pyright: ignore[reportInvalidTypeForm]
        name=words.DETAILS, description=words.DETAILS_TIP
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Three boxes; looks at files, starts nothing."""
        _draw_engine(self, self.layout.box())
        _draw_model(self, self.layout.box())
        _draw_files(self.layout.box())


def _draw_engine(preferences: Any, box: bpy.types.UILayout) -> None:
    box.label(text=words.ENGINE, icon="PREFERENCES")
    report = engine_test.remembered(preferences.engine_report, bpy.path.abspath(preferences.python))
    column = box.column(align=True)
    if engine_test.running():
        column.label(text=words.TESTING, icon="SORTTIME")
    elif report is None:
        column.label(text=words.NOT_TESTED, icon="QUESTION")
    elif report.problem:
        column.label(text=words.TEST_BAD.format(problem=report.problem), icon="ERROR")
    else:
        column.label(text=words.ENGINE_IS.format(engine=report.engine), icon="CHECKMARK")
    if report is not None and report.python:
        column.label(text=words.PYTHON_IS.format(version=report.python, path=report.executable), icon="BLANK1")
    box.prop(preferences, "python")
    row = box.row()
    row.operator("smirk.test_engine", icon="PLAY")
    row.operator("smirk.copy_engine_report", icon="COPYDOWN")
    if report is not None and report.text:
        icon = "TRIA_DOWN" if preferences.show_details else "TRIA_RIGHT"
        row = box.row()
        row.alignment = "LEFT"
        row.prop(preferences, "show_details", icon=icon, emboss=False)
        if preferences.show_details:
            column = box.column(align=True)
            for line in report.text.splitlines():
                column.label(text=line)


def _draw_model(preferences: Any, box: bpy.types.UILayout) -> None:
    box.label(text=words.MODEL, icon="USER")
    if not _needs_model(preferences):
        box.label(text=words.MODEL_NOT_NEEDED, icon="CHECKMARK")
        return
    state = face_model.state()
    text, icon = {
        "bundled": (words.MODEL_BUNDLED, "CHECKMARK"),
        "here": (words.MODEL_AT, "CHECKMARK"),
        "wrong": (words.MODEL_WRONG, "ERROR"),
        "missing": (words.MODEL_MISSING, "ERROR"),
    }[state.kind]
    box.label(text=text.format(path=state.path), icon=icon)
    if state.usable:
        return
    row = box.row()
    row.operator("smirk.pick_face_model", icon="FILEBROWSER")
    progress = face_model.progress()
    if progress is not None:
        row.label(text=words.MODEL_LOADING.format(percent=round(100 * progress)))
        row.operator("smirk.stop_face_model", icon="CANCEL")
        return
    row.operator("smirk.download_face_model", icon="IMPORT")
    if not online_access.allowed():
        box.label(text=online_access.reason(), icon="INFO")


def _needs_model(preferences: Any) -> bool:
    """MediaPipe for Python 3.13 has no models inside; what the person's Python is, the test has told."""
    if not preferences.python:
        return sys.version_info >= (3, 13)
    report = engine_test.remembered(preferences.engine_report, bpy.path.abspath(preferences.python))
    return report is None or "models inside" not in report.text


def _draw_files(box: bpy.types.UILayout) -> None:
    box.label(text=words.DATA, icon="FILE_FOLDER")
    row = box.row()
    row.label(text=str(user_assets.data_folder()))
    row.operator("smirk.open_data_folder", icon="FILE_FOLDER")
    column = box.column(align=True)
    try:
        here = [state for state in user_assets.status() if state.path is not None]
    except SmirkError as error:
        column.label(text=str(error), icon="ERROR")
        here = []
    for state in here:
        title = state.title if state.verified else words.UNVERIFIED.format(title=state.title)
        column.label(text=f"{title}: {Path(state.path or '').name}", icon="CHECKMARK" if state.verified else "DOT")
    if not here:
        column.label(text=words.NO_FILES, icon="DOT")
    box.operator("smirk.import_assets", icon="ADD")


CLASSES = (SMIRK_AP_preferences,)
