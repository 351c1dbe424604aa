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
from .take_store import MARK_PROPERTY, TAKE_PROPERTY, take_of
from .texts import takes as words

__all__ = ["Strip", "forget_icons", "strip_of"]

# A picture in a panel is square and has a margin: a wide one is made of a few, of so many pixels.
_TILES, _SIDE = 3, 96
_MOST = 64  # takes whose pictures are kept
_pictures: Any = None
_strips: dict[str, Strip] = {}


@dataclass(frozen=True)
class Strip:
    """What the panel shows of a take: the numbers of its pictures, from left to right, and two lines of text.

    ``lost`` is "" where the face was never lost. Without a window the numbers are 0.
    """

    icons: tuple[int, ...]
    text: str
    lost: str = ""


def strip_of(action: bpy.types.Action) -> Strip:
    """The strip of a take, from memory where it is known; a damaged take is a line that says so."""
    global _pictures
    mark: str = action.get(MARK_PROPERTY) or f"{zlib.crc32(action.get(TAKE_PROPERTY, b'')):08x}"
    if mark in _strips:
        return _strips[mark]
    if _pictures is None or len(_strips) >= _MOST:
        forget_icons()
        _pictures = bpy.utils.previews.new()
    try:
        take = take_of(action)
    except TakeError as error:
        return _strips.setdefault(mark, Strip((), str(error)))
    pixels = strip_pixels(take, _TILES * _SIDE, _SIDE)[::-1]  # rows run upwards in Blender
    icons = []
    for tile in range(_TILES):
        picture = _pictures.new(f"{mark} {tile}")
        picture.image_size = (_SIDE, _SIDE)
        picture.image_pixels_float.foreach_set(pixels[:, tile * _SIDE : (tile + 1) * _SIDE].ravel())
        icons.append(picture.icon_id)
    count = len(lost_stretches(take))
    text = words.DETAILS.format(frames=len(take), seconds=float(take.times[-1] - take.times[0]))
    lost = "" if count == 0 else words.LOST_ONCE if count == 1 else words.LOST.format(count=count)
    return _strips.setdefault(mark, Strip(tuple(icons), text, lost))


def forget_icons() -> None:
    """Free all pictures."""
    global _pictures
    _strips.clear()
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None
