# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes inside the .blend: the Action made from a take carries the take itself.

So a take can be refined or applied anew without its file and without tracking again, and whatever Blender does with
the action (rename, copy, undo, save, append, link) it does with the take.
"""

from __future__ import annotations

import zlib

import bpy

from smirk_core.errors import TakeError
from smirk_core.take import Take

__all__ = ["has_take", "store_take", "take_of", "takes"]

TAKE_PROPERTY = "smirk_file"  # custom property: the bytes of a take file
MARK_PROPERTY = "smirk_mark"  # and their checksum, for panels that are drawn often


def store_take(action: bpy.types.Action, take: Take) -> None:
    """Put a take, raw and filtered, into an action."""
    if TAKE_PROPERTY in action:
        del action[TAKE_PROPERTY]  # assigning over bytes keeps their old length or stops at the first zero
    data = take.to_bytes(compressed=False)  # Blender compresses its file where asked to
    action[TAKE_PROPERTY], action[MARK_PROPERTY] = data, f"{zlib.crc32(data):08x}"


def has_take(action: bpy.types.Action) -> bool:
    """Whether an action was made from a take."""
    return TAKE_PROPERTY in action


def take_of(action: bpy.types.Action) -> Take:
    """The take that an action was made from.

    Raises:
        TakeError: there is none in it, or it is damaged.
    """
    data = action.get(TAKE_PROPERTY)
    if not isinstance(data, bytes):
        raise TakeError(f"The action '{action.name}' was not made from a take.")
    return Take.from_bytes(data, f"The take in the action '{action.name}'")


def takes() -> list[bpy.types.Action]:
    """All takes of the file, in the order of their names."""
    return [action for action in bpy.data.actions if has_take(action)]
