# SPDX-License-Identifier: Apache-2.0
"""Side by side: the footage, the solved head over it, and the head alone, as a video or a contact sheet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError, ExportError, MediaError, TakeError
from ..heads.decode import decode, landmark_points, project
from ..heads.head_model import HeadModel, LandmarkEmbedding
from ..heads.library import head_of_take
from ..heads.rotation import matrix_from_rotvec
from ..progress import Progress, silent
from ..take import Take
from ..tracking.media import Frame, Media, open_media
from .overlay import Box, blend, crop, draw_dots, head_box, label, side_by_side
from .shading import Look, render_vertices
from .sheets import contact_sheet, save_picture
from .video_writer import VideoWriter, sound_of

__all__ = ["COLUMNS", "preview"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]

COLUMNS: tuple[str, ...] = ("photo", "overlay", "head", "dots")
_MOVING = ("expression", "eyelids", "rotation", "neck", "jaw", "eyes", "identity")
_BATCH = 16


def preview(
    take: Take,
    output: str | os.PathLike[str],
    *,
    media: str | os.PathLike[str] | None = None,
    columns: Sequence[str] = ("photo", "overlay", "head"),
    progress: Progress = silent,
    model: HeadModel | None = None,
    size: int = 400,
    frames: int = 6,
) -> Path:
    """Show a take beside its footage.

    Args:
        take: what was solved.
        output: ``.mp4`` for all frames in time and with the source's sound, ``.png`` or ``.jpg`` for a contact sheet.
        media: the footage; the take's own source where not given. A take without any (rendered, or edited by
            hand) shows its head alone.
        columns: any of ``photo``, ``overlay`` (the head over the photo), ``head`` (alone) and ``dots`` (the head's
            landmarks on the photo), in this order.
        progress: told after every frame; may raise :class:`smirk_core.errors.Cancelled`, which leaves no file.
        model: the head of the take; looked for by its name and fingerprint where not given.
        size: pixels of each square panel, made even.
        frames: how many moments a contact sheet shows, spread evenly over the take.

    Returns:
        The path written.

    Raises:
        ExportError: a name with another ending, an unknown column, or a file that cannot be written.
        MediaError: the footage is missing or cannot be read.
        TakeError: the take belongs to another head or has no camera.
    """
    output = Path(output)
    unknown = [c for c in columns if c not in COLUMNS]
    if unknown or not columns:
        raise ExportError(f"Unknown preview column '{', '.join(unknown)}'; choose among {', '.join(COLUMNS)}.")
    kind = output.suffix.lower()
    if kind not in (".mp4", ".png", ".jpg", ".jpeg"):
        raise ExportError(f"Cannot write a preview to {output}: the name must end in .mp4, .png or .jpg.")
    model = head_of_take(take) if model is None else model
    _check(take, model)
    source = _footage(take, media)
    if source is None:
        columns = ("head",)
    size = max(2, size // 2 * 2)
    if kind == ".mp4":
        return _video(take, output, source, columns, progress, model, size)
    return _sheet(take, output, source, columns, progress, model, size, frames)


def _check(take: Take, model: HeadModel) -> None:
    if "camera" not in take.filtered:
        raise TakeError("The take has no camera, so its head cannot be placed in a picture.")
    same = take.info.head_digest == model.digest if take.info.head_digest else take.info.head in ("", model.name)
    if not same:
        raise TakeError(f"The take was made for the head '{take.info.head}', not for '{model.name}'; give that head.")
    given = (len(take.identity), take.filtered.get("expression", np.zeros((1, 0))).shape[1])
    if given[0] > model.identity_size or given[1] > model.expression_size:
        raise TakeError(
            f"The take has {given[0]} identity and {given[1]} expression numbers, the head '{model.name}' takes "
            f"{model.identity_size} and {model.expression_size}; it was made for another head."
        )


def _footage(take: Take, media: str | os.PathLike[str] | None) -> Media | None:
    if media is None and not take.info.source:
        return None
    path = os.fspath(media) if media is not None else take.info.source
    if media is None and not Path(path).exists() and not any(c in path for c in "*?%#"):
        raise MediaError(f"The footage of this take, {path}, is not there any more; give its new place.")
    rate = take.info.rate if take.info.rate > 0 else 25.0
    return open_media(path, sequence=take.info.kind == "sequence", rate=rate)


def _vertices(take: Take, model: HeadModel, numbers: Sequence[int]) -> Iterator[tuple[int, Floats]]:
    """(frame number, (V, 3) metres) for the asked frames, decoded in batches."""
    groups = {k: v for k, v in take.parameters().items() if k in _MOVING}
    for begin in range(0, len(numbers), _BATCH):
        some = np.asarray(numbers[begin : begin + _BATCH])
        decoded = decode(model, {k: v[some] for k, v in groups.items()}).vertices
        yield from zip(some.tolist(), np.asarray(decoded), strict=True)


def _box(take: Take, model: HeadModel) -> Box:
    """A square that holds the head (most of the neck left out) in every frame, so that the panels stand still."""
    some = np.unique(np.linspace(0, len(take) - 1, min(len(take), 48)).astype(int)).tolist()
    cameras, above = take.filtered["camera"], model.template[:, 1] > _chin(model) - 0.02
    corners = []
    for number, vertices in _vertices(take, model, some):
        points = project(vertices[above][None], cameras[number][None])[0]
        corners += [points.min(axis=0), points.max(axis=0)]
    return head_box(np.array(corners), margin=0.08)


def _marks(model: HeadModel) -> LandmarkEmbedding | None:
    """Landmarks that reach down to the chin."""
    return model.landmarks.get("mediapipe_478") or model.landmarks.get("ibug_68")


def _chin(model: HeadModel) -> float:
    """Height of the chin of the mean head, metres: the lowest landmark."""
    marks = _marks(model)
    if marks is None:
        return float(model.template[:, 1].min())
    return float(landmark_points(model, model.template[None], marks)[0, :, 1].min())


def _neck_fade(model: HeadModel, vertices: Floats, camera: Floats, down: Floats, size: int) -> Floats:
    """(size, size) 1 on the head, falling to 0 over 30 mm below the chin: over footage a cut neck only distracts.

    Args:
        model, vertices, camera: the posed head and the panel's camera.
        down: (3,) where the head's own "down" points in the camera frame.
        size: pixels of the panel.
    """
    marks = _marks(model)
    flat = np.array([down[0], -down[1]])
    length = float(np.hypot(*flat))
    if marks is None or length < 0.3:  # seen from above or below there is no neck to speak of
        return np.ones((size, size), np.float32)
    flat /= length
    points = project(landmark_points(model, vertices[None], marks), camera[None])[0, :, :2]
    row, column = np.mgrid[:size, :size].astype(np.float32)
    below = (column * flat[0] + row * flat[1] - float((points @ flat).max())) / float(camera[0])
    return np.clip(1 - (below - 0.008) / 0.03, 0, 1)


def _matched(media: Media, times: Floats) -> Iterator[tuple[int, Picture]]:
    """(number, image): for each of the increasing ``times`` the frame that is nearest in time."""
    rate = media.info.rate
    begin = int(times[0] * rate * 0.98) - 25 if media.info.kind == "video" and rate > 0 else 0
    stream = media.frames(max(begin, 0))
    first = next(stream, None)
    if begin > 0 and (first is None or first.time > times[0]):  # an uneven rate: count from the start after all
        stream = media.frames()
        first = next(stream, None)
    if first is None:
        raise MediaError(f"No frame of {media.info.path} can be decoded.")
    number, last = 0, first
    while number < len(times) and last is not None:
        upcoming: Frame | None = next(stream, None)
        # The next frame does not come nearer to this time: the one in hand is it.
        while number < len(times) and (
            upcoming is None or abs(last.time - times[number]) <= abs(upcoming.time - times[number])
        ):
            yield number, last.image
            number += 1
        last = upcoming


def _panels(
    take: Take, model: HeadModel, number: int, vertices: Floats, frame: Picture | None, box: Box,
    columns: Sequence[str], size: int, supersample: int,
) -> list[Picture]:  # fmt: skip
    """One square panel per column."""
    left, top, side = box
    factor = size / side
    scale, tx, ty = (float(c) for c in take.filtered["camera"][number])
    camera = np.array([scale * factor, (tx - left) * factor - 0.5, (ty - top) * factor - 0.5], np.float32)
    photo = None if frame is None else crop(frame, box, size)
    seen = float(take.filtered["visibility"][number, 0]) if "visibility" in take.filtered else 1.0
    image = alpha = None
    if "head" in columns or "overlay" in columns:
        image, alpha = render_vertices(model, vertices, camera, size, size, Look.clay(), supersample=supersample)
    panels = []
    for column in columns:
        if column == "photo" and photo is not None:
            panels.append(photo)
        elif column == "overlay" and photo is not None and image is not None and alpha is not None:
            # A bridged frame shows its head faintly: it is a guess.
            turn = (
                matrix_from_rotvec(take.filtered["rotation"][number][None])[0]
                if "rotation" in take.filtered
                else np.eye(3)
            )
            fade = _neck_fade(model, vertices, camera, np.asarray(turn) @ [0.0, -1.0, 0.0], size)
            panels.append(blend(photo, image, alpha * fade, 0.82 if seen > 0.5 else 0.3))
        elif column == "dots" and photo is not None:
            points = landmark_points(model, vertices[None], _dots(model))
            panels.append(draw_dots(photo, project(points, camera[None])[0], radius=max(size / 400, 0.8)))
        elif column == "head" and image is not None and alpha is not None:
            panels.append(blend(_backdrop(size), image, alpha, 1.0 if seen > 0.5 else 0.4))
    return panels


def _dots(model: HeadModel) -> LandmarkEmbedding:
    for name in ("mediapipe_478", "mediapipe_105"):
        if name in model.landmarks:
            return model.landmarks[name]
    raise AssetError(f"The head {model.name} has no landmarks of MediaPipe's to draw: their file was not found.")


def _backdrop(size: int) -> Picture:
    grey = np.linspace(62, 34, size).astype(np.uint8)[:, None, None]
    return np.broadcast_to(grey, (size, size, 3))


def _video(
    take: Take, output: Path, source: Media | None, columns: Sequence[str], progress: Progress, model: HeadModel,
    size: int,
) -> Path:  # fmt: skip
    box, count = _box(take, model), len(take)
    times = take.times - take.times[0]
    rate = take.info.rate if take.info.rate > 0 else 25.0
    if count > 1:
        rate = min(rate, (count - 1) / float(times[-1]))
    sound = ()
    if source is not None and source.info.has_sound:
        sound = sound_of(source.info.path, float(take.times[0]), float(take.times[-1]) + 1 / rate)
    frames: Iterator[tuple[int, Picture | None]]
    frames = ((k, None) for k in range(count)) if source is None else iter(_matched(source, take.times))
    progress("Writing the preview", 0, count)
    width = len(columns) * (size + 4) - 4
    with VideoWriter(output, width, size, rate, sound=sound, quality=21) as writer:
        for (number, vertices), (_, frame) in zip(_vertices(take, model, range(count)), frames, strict=True):
            panels = _panels(take, model, number, vertices, frame, box, columns, size, 1)
            writer.write(side_by_side(panels, columns), float(times[number]))
            progress("Writing the preview", number + 1, count)
    return output


def _sheet(
    take: Take, output: Path, source: Media | None, columns: Sequence[str], progress: Progress, model: HeadModel,
    size: int, frames: int,
) -> Path:  # fmt: skip
    chosen = np.unique(np.linspace(0, len(take) - 1, min(len(take), max(frames, 1))).round().astype(int)).tolist()
    box = _box(take, model)
    images: Iterator[tuple[int, Picture | None]]
    images = ((k, None) for k in chosen) if source is None else iter(_matched(source, take.times[chosen]))
    progress("Writing the preview", 0, len(chosen))
    cells = []
    for (number, vertices), (_, image) in zip(_vertices(take, model, chosen), images, strict=True):
        panels = _panels(take, model, number, vertices, image, box, columns, size, 2)
        cell = side_by_side(panels, columns)
        moment = f"{take.times[number]:.2f} s" if len(take) > 1 else ""
        cell[-24:, :] = label(cell[-24:, :], moment, 13) if moment else cell[-24:, :]
        cells.append(cell)
        progress("Writing the preview", len(cells), len(chosen))
    across = 2 if len(cells) > 3 and len(columns) <= 3 else 1
    return save_picture(contact_sheet(cells, across), output)
