# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin of footage and photos on the head: one frame, or the best frames of a clip, and other photos of the person.

The image is packed into the .blend and can be painted on; :mod:`.photo_skin` puts it on and takes it off.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import bpy
import numpy as np

from smirk_core.errors import MediaError, TakeError
from smirk_core.heads.head_model import HeadModel
from smirk_core.progress import Progress, silent
from smirk_core.rendering.photo_texture import (
    PhotoTexture,
    PhotoView,
    TextureOptions,
    blend_photos_steps,
    take_views_steps,
)
from smirk_core.take import Take
from smirk_core.tracking.media import Frame, Media, open_media

from .footage import load_footage
from .photo_skin import has_photo_texture, remove_photo_texture, wear
from .refine import take_time
from .rig import HeadObjects, model_of
from .take_store import take_of

__all__ = [
    "add_photo_texture",
    "has_photo_texture",
    "picture_at",
    "remove_photo_texture",
    "row_at",
    "texture_steps",
]

Photo = str | os.PathLike[str] | Take | bpy.types.Action
_SLIM = "This add-on comes without a reader of films: take the skin from a photo."
Steps = Generator[tuple[str, int, int], None, PhotoTexture]


def add_photo_texture(
    head: HeadObjects,
    take: bpy.types.Action | Take,
    *,
    frame: float | None = None,
    photos: Sequence[Photo] = (),
    count: int = 6,
    size: int = 1024,
    mirror: bool = True,
    light: float = 1.0,
    glare: bool = True,
    brows: bool = True,
    model: HeadModel | None = None,
    progress: Progress = silent,
) -> bpy.types.Image:
    """Project the footage's skin onto a head and use it as its colour.

    Args:
        head: the head.
        take: the take whose footage is used, as its action or itself.
        frame: scene frame (of an action) or number of the row (of a take); the best frames of the clip if not given.
        photos: more pictures of the same person: files, which are tracked first, or takes of photos or clips.
        count: how many frames of a clip at most.
        size: pixels of the square texture.
        mirror: fill the hidden half from the other one.
        light: how much of the light is taken off, 0 .. 1.
        glare: take highlights off.
        brows: keep the photo's brows and hide the head's own; else the other way round.
        model: the head's model; found by what the head remembers where not given.
        progress: called for every frame and photo; may raise Cancelled, then nothing changes.

    Returns:
        The image, packed.

    Raises:
        MediaError: the footage is not there any more.
        TakeError: the take does not say where the head is, or the face is not seen in the frame.
    """
    model = model_of(head) if model is None else model
    performance = take if isinstance(take, Take) else take_of(take)
    rows = None
    if frame is not None:
        rows = [round(frame)] if isinstance(take, Take) else [row_at(take, frame)]
    options = TextureOptions(mirror=mirror, light=light, glare=glare, brows=brows)
    more = [take_of(p) if isinstance(p, bpy.types.Action) else p for p in photos]
    steps = texture_steps(model, performance, rows=rows, photos=more, count=count, size=size, options=options)
    while True:
        try:
            progress(*next(steps))
        except StopIteration as stop:
            return wear(head, stop.value, brows=brows)


def row_at(action: bpy.types.Action, frame: float) -> int:
    """The row of an action's take that is played at a scene frame."""
    return int(np.abs(np.asarray(take_of(action).times) - take_time(action, frame)).argmin())


def texture_steps(
    model: HeadModel,
    take: Take,
    *,
    rows: Sequence[int] | None = None,
    photos: Sequence[str | os.PathLike[str] | Take] = (),
    count: int = 6,
    size: int = 1024,
    options: TextureOptions | None = None,
) -> Steps:
    """The work of :func:`add_photo_texture` in steps of about a second: (what is done, steps done, of how many).

    Nothing of the scene is touched, so it may be dropped at any time.
    """
    options = options or TextureOptions()
    views = yield from _views(model, take, rows, count)
    for number, photo in enumerate(photos):
        yield "Finding the face", number, len(photos)
        if not isinstance(photo, Take):
            from smirk_core.tracking.tracker import track

            photo = track(bpy.path.abspath(os.fspath(photo)), head=model)
        views += yield from _views(model, photo, None, count)
    return (yield from blend_photos_steps(model, views, size=size, options=options))


def _views(
    model: HeadModel, take: Take, rows: Sequence[int] | None, count: int
) -> Generator[tuple[str, int, int], None, list[PhotoView]]:
    if "camera" not in take.raw:
        raise TakeError("The take does not say where in the picture the head is, so no skin can be taken from it.")
    steps = take_views_steps(model, take, count=count, rows=rows, read=_read)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as stop:
            return stop.value
        yield "Looking at frames", done, total


def _read(take: Take, rows: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Pictures of rows: one by a short cut, several in one pass."""
    if len(rows) == 1 or take.info.kind == "photo":
        for row in rows:
            yield row, picture_at(take, row)
        return
    from smirk_core.rendering.photo_texture.frames import read_rows

    if not take.info.source:
        raise MediaError("The take has no footage, so no skin can be taken from it.")
    try:
        yield from read_rows(replace(take, info=replace(take.info, source=bpy.path.abspath(take.info.source))), rows)
    except ImportError as error:
        raise MediaError(_SLIM) from error


def picture_at(take: Take, row: int) -> np.ndarray:
    """(H, W, 3) uint8: the frame of the footage on which a row of a take was made.

    Raises:
        MediaError: the footage is not there any more or cannot be read.
    """
    if not take.info.source:
        raise MediaError("The take has no footage, so no skin can be taken from it.")
    path = bpy.path.abspath(take.info.source)
    if take.info.kind == "photo":
        return _photo(take)
    rate = take.info.rate if take.info.rate > 0 else 25.0
    try:
        media = open_media(path, sequence=take.info.kind == "sequence", rate=rate)
    except ImportError as error:  # the slim add-on: films are read by the worker alone
        raise MediaError(_SLIM) from error
    wanted = float(take.times[row])
    # A little earlier and then by time stamp: rates vary, and the first frame's time need not be 0.
    begin = max(0, int(wanted * rate * 0.98) - 12) if media.info.kind == "video" else 0
    if media.info.kind == "sequence":
        begin = max(0, round(wanted * rate) - 1)
    best = _nearest(media, wanted, begin)
    if begin > 0 and (best is None or best.time > wanted + 1 / rate):  # an uneven rate: count from the start after all
        best = _nearest(media, wanted, 0)
    if best is None:
        raise MediaError(f"No frame of {path} can be decoded.")
    return best.image


def _nearest(media: Media, wanted: float, begin: int) -> Frame | None:
    best = None
    for frame in media.frames(begin):
        if best is not None and abs(frame.time - wanted) > abs(best.time - wanted):
            break
        best = frame
    return best


def _photo(take: Take) -> np.ndarray:
    """(H, W, 3) uint8 of a photo, upright, read by Blender itself."""
    before = set(bpy.data.images)
    footage = load_footage(take.info)
    if footage is None or footage.image is None:
        raise MediaError(f"The photo {take.info.source} is not there any more, or Blender cannot read it.")
    image = footage.image
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    colours = pixels.reshape(height, width, -1)[::-1]
    colours = colours[..., :3] if colours.shape[2] >= 3 else np.repeat(colours[..., :1], 3, axis=2)
    if image not in before:
        bpy.data.images.remove(image)
    return np.ascontiguousarray(np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8))
