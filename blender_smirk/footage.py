# SPDX-License-Identifier: GPL-3.0-or-later
"""The footage in the scene: behind the head as camera background, and its sound.

Blender turns videos upright by their rotation metadata and shows a frame by its time stamp, also where the rate
varies, as long as the scene runs at the rate that it states for the clip. It does not heed the orientation that
photos carry: those are turned here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from smirk_core.take import TakeInfo

__all__ = ["Footage", "add_background", "add_sound", "load_footage", "snap_rate", "start_frame"]


@dataclass(frozen=True)
class Footage:
    """Footage that Blender has opened.

    Attributes:
        path: of the file, the first one of a sequence.
        clip: movie clip of a video or an image sequence, or None.
        image: picture of a photo, upright, or None.
        rate: frames per second at which Blender plays it; 0 for a photo.
        frames: its length; 1 for a photo.
    """

    path: Path
    clip: bpy.types.MovieClip | None
    image: bpy.types.Image | None
    rate: float
    frames: int


def snap_rate(rate: float) -> float:
    """The broadcast rate meant by a rounded one: 29.97 is 30000/1001, 23.976 is 24000/1001."""
    whole = round(rate)
    for exact in (float(whole), whole * 1000 / 1001):
        if abs(rate - exact) < 0.002:
            return exact
    return rate


def start_frame(info: TakeInfo, rate: float, start: float) -> int:
    """Scene frame on which the first frame of the footage lies, when the take's beginning lies on ``start``."""
    return round(start) - round(info.start * rate)


def load_footage(info: TakeInfo) -> Footage | None:
    """Open the source of a take; None where it is no file (any more) or Blender cannot read it."""
    path = Path(bpy.path.abspath(info.source)).absolute() if info.source else None
    if path is None or not path.is_file():
        return None
    try:
        if info.kind == "photo":
            image = bpy.data.images.load(str(path), check_existing=True)
            if min(image.size) < 1:
                bpy.data.images.remove(image)
                return None
            return Footage(path, None, _upright(image, info.rotation), 0.0, 1)
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError:  # Blender's way to say that it cannot read a file
        return None
    if min(clip.size) < 1 or clip.frame_duration < 1:
        bpy.data.movieclips.remove(clip)
        return None
    # A sequence of pictures has no rate of its own.
    rate = clip.fps if info.kind == "video" and clip.fps > 0 else info.rate
    return Footage(path, clip, None, snap_rate(rate), clip.frame_duration)


def _upright(image: bpy.types.Image, clockwise: int) -> bpy.types.Image:
    """The image, or a packed copy of it that is turned; pixels come bottom row first."""
    if clockwise % 360 == 0:
        return image
    width, height = image.size
    pixels = np.empty(width * height * image.channels, dtype=np.float32)
    image.pixels.foreach_get(pixels)
    # Rows run upwards in Blender, where a clockwise quarter turn is np.rot90's positive one mirrored twice: -1.
    turned = np.rot90(pixels.reshape(height, width, -1)[::-1], -(clockwise // 90))[::-1]
    height, width = turned.shape[:2]
    copy = bpy.data.images.new(f"{image.name} upright", width, height, alpha=image.channels == 4)
    rgba = np.ones((height, width, 4), dtype=np.float32)
    rgba[..., : turned.shape[2]] = turned
    copy.pixels.foreach_set(rgba.ravel())
    copy.pack()
    bpy.data.images.remove(image)
    return copy


def add_background(camera: bpy.types.Object, footage: Footage, first: int, alpha: float = 1.0) -> None:
    """Show the footage behind everything that ``camera`` sees, from scene frame ``first`` on; replaces an older one."""
    data: Any = camera.data
    data.background_images.clear()
    data.show_background_images = True
    background = data.background_images.new()
    if footage.clip is not None:
        footage.clip.frame_start = first
        background.source, background.clip = "MOVIE_CLIP", footage.clip
    else:
        background.source, background.image = "IMAGE", footage.image
    background.alpha = alpha
    background.display_depth = "BACK"
    background.frame_method = "FIT"


def add_sound(scene: bpy.types.Scene, footage: Footage, first: int, name: str) -> bpy.types.Strip | None:
    """Put the footage's sound on a free channel of the sequencer, in sync; None where it has none.

    A strip of the same file at the same place is not doubled.
    """
    if footage.clip is None or footage.clip.source != "MOVIE":
        return None
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips: Any = editor.sequences if bpy.app.version < (4, 4) else editor.strips
    for strip in strips:
        if strip.type == "SOUND" and round(_begin(strip)) == first and _same_file(strip.sound.filepath, footage.path):
            return strip
    if not _has_sound(footage.path):
        return None
    channel = 1 + max((s.channel for s in strips), default=0)
    strip = strips.new_sound(name, str(footage.path), channel, first)
    strip.show_waveform = True
    return strip


def _has_sound(path: Path) -> bool:
    """Blender makes strips of silent films without a word, so ask for the sound itself first."""
    try:
        sound = bpy.data.sounds.load(str(path))
    except RuntimeError:
        return False
    heard = sound.channels != "INVALID" and sound.samplerate > 0
    bpy.data.sounds.remove(sound)
    return heard


def _same_file(stored: str, path: Path) -> bool:
    return Path(bpy.path.abspath(stored)).absolute() == path


def _begin(strip: bpy.types.Strip) -> float:
    """Scene frame at which the content of a strip begins; renamed in 5.2, the old name goes in 6.0."""
    return strip.content_start if hasattr(strip, "content_start") else strip.frame_start
