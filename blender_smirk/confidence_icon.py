# SPDX-License-Identifier: GPL-3.0-or-later
"""The confidence strip of a take as an icon, made when it is first drawn and kept until the take is another."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import bpy
import bpy.utils.previews

from smirk_core.errors import TakeError

from .confidence import lost_stretches, strip_pixels
from .take_store import TAKE_PROPERTY, take_of
from .texts import takes as words

__all__ = ["Strip", "forget_icons", "strip_of"]

_WIDTH, _HEIGHT = 256, 64
_MOST = 64  # pictures kept
_pictures: Any = None
_strips: dict[int, Strip] = {}


@dataclass(frozen=True)
class Strip:
    """What the panel shows of a take: the number of its picture, 0 for none, and a line of text."""

    icon: int
    text: str


def strip_of(action: bpy.types.Action) -> Strip:
    """The strip of a take, from memory where it is known; a damaged take is a line that says so."""
    global _pictures
    data = action.get(TAKE_PROPERTY, b"")
    mark = zlib.crc32(data)
    if mark in _strips:
        return _strips[mark]
    if _pictures is None or len(_strips) >= _MOST:
        forget_icons()
        _pictures = bpy.utils.previews.new()
    try:
        take = take_of(action)
    except TakeError as error:
        return _strips.setdefault(mark, Strip(0, str(error)))
    picture = _pictures.new(str(mark))
    picture.image_size = (_WIDTH, _HEIGHT)
    # Rows run upwards in Blender.
    picture.image_pixels_float.foreach_set(strip_pixels(take, _WIDTH, _HEIGHT)[::-1].ravel())
    count = len(lost_stretches(take))
    text = words.DETAILS.format(frames=len(take), seconds=float(take.times[-1] - take.times[0]))
    text += f", {words.LOST.format(count=count)}" if count else ""
    return _strips.setdefault(mark, Strip(picture.icon_id, text))


def forget_icons() -> None:
    """Free all pictures."""
    global _pictures
    _strips.clear()
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None
