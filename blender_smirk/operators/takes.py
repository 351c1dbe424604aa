# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons of the panel *Takes*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from smirk_core.errors import TakeError

from .. import confidence, take_library
from ..actions import WARNING_PROPERTY
from ..api import add_take, apply_take
from ..refine import model_of_take
from ..take_store import has_take, take_of, takes
from ..texts import takes as words
from .base import chosen_head, chosen_take, run_reported

__all__ = ["CLASSES", "OnTake", "TakeOperator", "meant_take", "take_property"]


def meant_take(context: bpy.types.Context, name: str = "") -> bpy.types.Action | None:
    """The take called ``name``; else that chosen in the list, that of the chosen head, or the only one of the file."""
    if name:
        action = bpy.data.actions.get(name)
        return action if action is not None and has_take(action) else None
    listed = getattr(context.scene, "smirk_takes", None)
    if listed is not None and listed.action is not None and has_take(listed.action):
        return listed.action
    every = takes()
    return chosen_take(context) or (every[0] if len(every) == 1 else None)


def take_property() -> Any:
    """The take that an operator means, for scripts and for lists."""
    return StringProperty(name=words.TAKE, description=words.TAKE_TIP, options={"SKIP_SAVE"})


class OnTake:
    """Poll of what needs a take."""

    local: ClassVar[bool] = False  # whether it changes the take

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.refusal(context)
        if reason:
            cls.poll_message_set(reason)  # pyright: ignore[reportAttributeAccessIssue]
        return not reason

    @classmethod
    def refusal(cls, context: bpy.types.Context) -> str:
        """Why it cannot be done, "" where it can. A take that is named in a property is looked at later."""
        if not takes():
            return words.NO_TAKE
        action = meant_take(context)
        return words.IS_LINKED if cls.local and action is not None and action.library is not None else ""


class TakeOperator(OnTake, bpy.types.Operator):
    """An operator on one take."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    if not TYPE_CHECKING:
        take: take_property()

    def action(self, context: bpy.types.Context) -> bpy.types.Action:
        """The take that is meant; raises TakeError where there is none."""
        name: str = self.take  # pyright: ignore[reportAttributeAccessIssue]
        action = meant_take(context, name)
        if action is None:
            raise TakeError(words.NO_SUCH_TAKE.format(name=name) if name else words.NO_TAKE)
        return action

    def execute(self, context: bpy.types.Context) -> set[Any]:
        return run_reported(self, lambda: self.work(context, self.action(context)))

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        """What it does."""
        raise NotImplementedError


class _OnHead(TakeOperator):
    """Needs a head, too."""

    @classmethod
    def refusal(cls, context: bpy.types.Context) -> str:
        return super().refusal(context) or ("" if chosen_head(context) is not None else words.NO_HEAD)


def _choose(context: bpy.types.Context, action: bpy.types.Action | None) -> None:
    listed = getattr(context.scene, "smirk_takes", None)
    if listed is not None:
        listed.action = action


class SMIRK_OT_make_take_current(_OnHead):
    bl_idname = "smirk.make_take_current"
    bl_label, bl_description = words.MAKE_CURRENT
    if not TYPE_CHECKING:
        footage: BoolProperty(name=words.FOOTAGE, description=words.FOOTAGE_TIP, default=True)
        overwrite: BoolProperty(name=words.OVERWRITE, description=words.OVERWRITE_TIP, options={"SKIP_SAVE"})

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        head = chosen_head(context)
        if head is None:
            raise TakeError(words.NO_HEAD)
        options: Any = self
        take_library.make_current(action, head.armature, footage=options.footage, overwrite=options.overwrite)
        _choose(context, action)


class SMIRK_OT_duplicate_take(TakeOperator):
    bl_idname = "smirk.duplicate_take"
    bl_label, bl_description = words.DUPLICATE

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        _choose(context, take_library.duplicate_take(action))


class SMIRK_OT_delete_take(TakeOperator):
    bl_idname = "smirk.delete_take"
    bl_label, bl_description = words.DELETE
    local = True

    def invoke(self, context: bpy.types.Context, event: Any) -> set[Any]:
        return context.window_manager.invoke_confirm(self, event)  # pyright: ignore[reportReturnType]

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        others = [a for a in takes() if a != action]
        take_library.delete_take(action)
        _choose(context, chosen_take(context) or (others[0] if others else None))


class SMIRK_OT_push_take(_OnHead):
    bl_idname = "smirk.push_take"
    bl_label, bl_description = words.PUSH

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        head = chosen_head(context)
        if head is None:
            raise TakeError(words.NO_HEAD)
        strips = take_library.push_to_nla(head.armature, action)
        self.report({"INFO"}, words.PUSHED.format(count=len(strips)))


class SMIRK_OT_mark_take(TakeOperator):
    bl_idname = "smirk.mark_take"
    bl_label, bl_description = words.MARK
    local = True
    if not TYPE_CHECKING:
        picture: BoolProperty(name=words.PICTURE, description=words.PICTURE_TIP, default=True)

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        options: Any = self
        take_library.mark_asset(action, picture=options.picture)


class SMIRK_OT_clear_take(TakeOperator):
    bl_idname = "smirk.clear_take"
    bl_label, bl_description = words.CLEAR
    local = True

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        if action.asset_data is None:
            raise TakeError(words.NO_ASSET)
        take_library.clear_asset(action)


class SMIRK_OT_add_lost_markers(TakeOperator):
    bl_idname = "smirk.add_lost_markers"
    bl_label, bl_description = words.ADD_MARKERS

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        count = confidence.add_lost_markers(context.scene, action)
        self.report({"INFO"}, words.MARKED.format(count=count) if count else words.NEVER_LOST)


class SMIRK_OT_remove_lost_markers(bpy.types.Operator):
    bl_idname = "smirk.remove_lost_markers"
    bl_label, bl_description = words.REMOVE_MARKERS
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if any(m.name in (confidence.MARKER_LOST, confidence.MARKER_FOUND) for m in context.scene.timeline_markers):
            return True
        cls.poll_message_set(words.NO_MARKERS)
        return False

    def execute(self, context: bpy.types.Context) -> set[Any]:
        return run_reported(self, lambda: confidence.remove_lost_markers(context.scene))


class SMIRK_OT_choose_take(TakeOperator):
    bl_idname = "smirk.choose_take"
    bl_label, bl_description = words.SELECT
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    def work(self, context: bpy.types.Context, action: bpy.types.Action) -> None:
        _choose(context, action)


class SMIRK_OT_import_take(bpy.types.Operator, ImportHelper):
    bl_idname = "smirk.import_take"
    bl_label, bl_description = words.IMPORT
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    filename_ext = ".npz"
    if not TYPE_CHECKING:
        # Not remembered: a button that is pressed again asks for a file again.
        filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
        filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
        take: take_property()
        target: EnumProperty(
            name=words.TARGET,
            description=words.TARGET_TIP,
            items=(("NEW", *words.TARGET_NEW), ("SELECTED", *words.TARGET_SELECTED)),
        )
        frame_start: IntProperty(name=words.FRAME_START, description=words.FRAME_START_TIP, default=1)
        raw: BoolProperty(name=words.RAW, description=words.RAW_TIP)

    def invoke(self, context: bpy.types.Context, event: Any) -> set[Any]:
        """With a take of the file, or a file that was dropped, nothing is left to ask for."""
        options: Any = self
        dropped = self.properties.is_property_set("filepath") and bool(options.filepath)
        return self.execute(context) if options.take or dropped else ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[Any]:
        return run_reported(self, lambda: self._work(context))

    def _work(self, context: bpy.types.Context) -> None:
        options: Any = self
        if options.take:
            action = meant_take(context, options.take)
            if action is None:
                raise TakeError(words.NO_SUCH_TAKE.format(name=options.take))
            take = take_of(action)
        else:
            take = take_library.read_take(options.filepath)
        model = model_of_take(take)
        if options.target == "SELECTED":
            head = chosen_head(context)
            if head is None:
                raise TakeError(words.NO_HEAD)
            made = apply_take(head.armature, take, head=model, frame_start=options.frame_start, raw=options.raw)
        else:
            made = add_take(take, head=model, frame_start=options.frame_start, raw=options.raw).action
        _choose(context, made)
        if WARNING_PROPERTY in made:
            self.report({"WARNING"}, made[WARNING_PROPERTY])


_CLASSES: tuple[type, ...] = (
    SMIRK_OT_make_take_current,
    SMIRK_OT_duplicate_take,
    SMIRK_OT_delete_take,
    SMIRK_OT_push_take,
    SMIRK_OT_mark_take,
    SMIRK_OT_clear_take,
    SMIRK_OT_add_lost_markers,
    SMIRK_OT_remove_lost_markers,
    SMIRK_OT_choose_take,
    SMIRK_OT_import_take,
)
if hasattr(bpy.types, "FileHandler"):  # from Blender 4.1 on

    class SMIRK_FH_take(bpy.types.FileHandler):
        bl_idname = "SMIRK_FH_take"
        bl_label = words.IMPORT[0]
        bl_import_operator = "smirk.import_take"
        bl_file_extensions = ".npz"

        @classmethod
        def poll_drop(cls, context: bpy.types.Context) -> bool:
            return context.area is not None and context.area.type == "VIEW_3D"

    _CLASSES += (SMIRK_FH_take,)

CLASSES = _CLASSES
