# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators share: errors in one line, and the head or take that is meant."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import bpy

from smirk_core.errors import Cancelled, SmirkError

from ..rig import HeadObjects
from ..take_store import has_take

__all__ = ["chosen_head", "chosen_take", "last_failure", "run_reported"]

_failure = ""


def last_failure() -> str:
    """The traceback of the last unexpected failure, for the person to copy; "" where there was none."""
    return _failure


def run_reported(operator: bpy.types.Operator, work: Callable[[], Any]) -> set[Any]:
    """Run the work of an operator; what went wrong becomes its report, never a traceback in the person's face.

    Returns:
        ``{"FINISHED"}``, or ``{"CANCELLED"}`` after an error.
    """
    global _failure
    try:
        work()
    except Cancelled as stop:
        operator.report({"INFO"}, str(stop))
    except SmirkError as error:
        operator.report({"ERROR"}, str(error))
    except Exception as error:
        _failure = traceback.format_exc()
        operator.report({"ERROR"}, f"{type(error).__name__}: {error}. This is a fault of the add-on, please report it.")
    else:
        return {"FINISHED"}
    return {"CANCELLED"}


def chosen_head(context: bpy.types.Context) -> HeadObjects | None:
    """The head that is meant: that of the active object, else the only one of the scene."""
    active = context.active_object
    if active is not None:
        head = HeadObjects.of(active)
        if head is not None:
            return head
    heads = [h for h in map(HeadObjects.of, context.scene.objects) if h is not None]
    armatures = {h.armature.name for h in heads}
    return heads[0] if len(armatures) == 1 else None


def chosen_take(context: bpy.types.Context) -> bpy.types.Action | None:
    """The take that the chosen head plays, or None."""
    head = chosen_head(context)
    if head is None or head.armature.animation_data is None:
        return None
    action = head.armature.animation_data.action
    return action if action is not None and has_take(action) else None
