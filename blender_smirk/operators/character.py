# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Character*."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import StringProperty  # pyright: ignore[reportMissingImports]
from bpy_extras.io_utils import ExportHelper, ImportHelper  # pyright: ignore[reportMissingImports]

from smirk_core.errors import ExportError, TakeError
from smirk_core.export.atomic import atomic
from smirk_core.retarget.mapping import KeyMap, match_keys

from ..properties.character import read_links, write_links
from ..retarget import BONES, CharacterReport, apply_to_character, find_bones, key_names
from ..rig import HEAD_PROPERTY
from ..take_store import takes
from ..texts import character as words
from .base import chosen_take, run_reported

__all__ = ["CLASSES", "character_take", "refusal"]


def refusal(context: bpy.types.Context) -> str:
    """Why the active object is no character to work on; "" where it is one."""
    mesh = context.active_object
    if mesh is None or mesh.type != "MESH" or not key_names(mesh):
        return words.NO_MESH
    if HEAD_PROPERTY in mesh:
        return words.IS_HEAD
    if mesh.library is not None or mesh.data.library is not None:
        return words.IS_LINKED
    return ""


def character_take(context: bpy.types.Context) -> bpy.types.Action | None:
    """The take that is meant: the chosen one, that of the scene's head, or the only one of the file."""
    mesh: Any = context.active_object
    chosen = mesh.smirk_character.take if mesh is not None else None
    if chosen is None:
        chosen = chosen_take(context)
    if chosen is None:
        every = takes()
        chosen = every[0] if len(every) == 1 else None
    return chosen


class _OnCharacter:
    """Works on the active mesh."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = refusal(context)
        if reason:
            cls.poll_message_set(reason)  # pyright: ignore[reportAttributeAccessIssue]
        return not reason


class SMIRK_OT_match_character(_OnCharacter, bpy.types.Operator):
    bl_idname = "smirk.match_character"
    bl_label = words.MATCH
    bl_description = words.MATCH_TIP
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        return run_reported(self, lambda: self._match(context))

    def _match(self, context: bpy.types.Context) -> None:
        mesh: Any = context.active_object
        settings, names = mesh.smirk_character, key_names(mesh)
        match = match_keys(names)
        write_links(settings, match.keys, match.kinds)
        if settings.armature is None:
            settings.armature = mesh.find_armature()
        if settings.armature is not None:
            found = find_bones(settings.armature)
            for part in BONES:
                setattr(settings, f"{part}_bone", found.get(part, ""))
        if match.found:
            self.report({"INFO"}, words.MATCHED.format(found=match.found, unused=len(match.unused)))
        else:
            self.report({"WARNING"}, words.MATCHED_NONE.format(count=len(names)))


class SMIRK_OT_apply_character(_OnCharacter, bpy.types.Operator):
    bl_idname = "smirk.apply_character"
    bl_label = words.APPLY
    bl_description = words.APPLY_TIP
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if character_take(context) is None:
            cls.poll_message_set(words.NO_TAKE)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[Any]:
        return run_reported(self, lambda: self._apply(context))

    def _apply(self, context: bpy.types.Context) -> None:
        mesh: Any = context.active_object
        settings, take = mesh.smirk_character, character_take(context)
        assert take is not None  # poll has seen it
        if not len(settings.links):
            self._fill(mesh)
        meshes = [mesh]
        if settings.others:
            meshes += [o for o in context.selected_objects if o.type == "MESH" and o != mesh and key_names(o)]
        report = apply_to_character(
            meshes,
            take,
            keys=read_links(settings),
            armature=settings.armature,
            bones={part: getattr(settings, f"{part}_bone") for part in BONES},
            gains={part: getattr(settings, f"{part}_gain") for part in BONES},
            mirror=settings.mirror,
        )
        warns = bool(report.absent or report.driven)
        self.report({"WARNING" if warns else "INFO"}, _told(report, read_links(settings), settings.jaw_bone))

    @staticmethod
    def _fill(mesh: Any) -> None:
        match = match_keys(key_names(mesh))
        write_links(mesh.smirk_character, match.keys, match.kinds)


def _told(report: CharacterReport, keys: KeyMap, jaw: str) -> str:
    parts = [words.APPLIED.format(keys=len(report.moved), bones=len(report.bones))]
    if report.absent:
        parts.append(words.ABSENT.format(names=_some(report.absent)))
    if report.driven:
        parts.append(words.DRIVEN.format(names=_some(report.driven)))
    if report.kept:
        parts.append(words.KEPT.format(names=_some(tuple(dict.fromkeys(report.kept)))))
    opens = {link.target for link in keys.links if link.enabled and link.source == "jawOpen"}
    if jaw in report.bones and opens & set(report.moved):
        parts.append(words.DOUBLED)
    return "; ".join(parts)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (f" (+{len(names) - 6})" if len(names) > 6 else "")


class SMIRK_OT_add_channel(_OnCharacter, bpy.types.Operator):
    bl_idname = "smirk.add_channel"
    bl_label = words.ADD
    bl_description = words.ADD_TIP
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[Any]:
        settings: Any = context.active_object.smirk_character
        settings.links.add().name = "jawOpen"
        settings.link_index = len(settings.links) - 1
        return {"FINISHED"}


class SMIRK_OT_remove_channel(_OnCharacter, bpy.types.Operator):
    bl_idname = "smirk.remove_channel"
    bl_label = words.REMOVE
    bl_description = words.REMOVE_TIP
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        settings: Any = context.active_object.smirk_character
        if not 0 <= settings.link_index < len(settings.links):
            cls.poll_message_set(words.NO_LINKS)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[Any]:
        settings: Any = context.active_object.smirk_character
        settings.links.remove(settings.link_index)
        settings.link_index = max(0, min(settings.link_index, len(settings.links) - 1))
        return {"FINISHED"}


class SMIRK_OT_save_channels(_OnCharacter, bpy.types.Operator, ExportHelper):
    bl_idname = "smirk.save_channels"
    bl_label = words.SAVE
    bl_description = words.SAVE_TIP
    filename_ext = ".json"
    if not TYPE_CHECKING:
        filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        settings: Any = context.active_object.smirk_character
        if not len(settings.links):
            cls.poll_message_set(words.NO_LINKS)
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[Any]:
        mesh: Any = context.active_object

        def write() -> None:
            path = Path(bpy.path.abspath(self.filepath))
            if path.is_dir():
                raise ExportError(f"Cannot write {path}: it is a folder.")
            with atomic(path) as temporary:
                temporary.write_text(read_links(mesh.smirk_character).to_json(), encoding="utf-8")

        return run_reported(self, write)


class SMIRK_OT_load_channels(_OnCharacter, bpy.types.Operator, ImportHelper):
    bl_idname = "smirk.load_channels"
    bl_label = words.LOAD
    bl_description = words.LOAD_TIP
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    filename_ext = ".json"
    if not TYPE_CHECKING:
        filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[Any]:
        mesh: Any = context.active_object

        def read() -> None:
            path = Path(bpy.path.abspath(self.filepath))
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise TakeError(
                    f"Cannot read {path}: {getattr(error, 'strerror', None) or 'it is no text'}."
                ) from error
            write_links(mesh.smirk_character, KeyMap.from_json(text, str(path)))

        return run_reported(self, read)


CLASSES: tuple[type, ...] = (
    SMIRK_OT_match_character,
    SMIRK_OT_apply_character,
    SMIRK_OT_add_channel,
    SMIRK_OT_remove_channel,
    SMIRK_OT_save_channels,
    SMIRK_OT_load_channels,
)
