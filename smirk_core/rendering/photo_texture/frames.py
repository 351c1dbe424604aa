# SPDX-License-Identifier: Apache-2.0
"""The frames of a clip that are best for a texture: sharp, at rest, eyes open, the head turned variously."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import MediaError, TakeError
from ...heads.arkit import ARKIT_INDEX, arkit_from_groups
from ...heads.decode import decode, project
from ...heads.head_model import HeadModel
from ...progress import Progress, silent
from ...take import Take
from .view import PhotoView

__all__ = ["Reader", "choose_rows", "take_view", "take_views", "take_views_steps"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]
Reader = Callable[[Take, Sequence[int]], Iterable[tuple[int, Picture]]]
"""Reads the pictures of rows of a take, in rising order."""

_SHORTLIST = 3  # frames looked at for each one that is used
_APART = 0.12  # radians of turn that make another view
_SPAN = 5  # rows within which two frames of a shortlist are too much alike
_BLINK, _OPEN = 0.45, 0.5  # weights above which lids and jaw hide or stretch skin


def choose_rows(model: HeadModel, take: Take, count: int = 6, shortlist: int = _SHORTLIST) -> list[list[int]]:
    """Which frames to look at, by what the take says of them.

    Args:
        model: the head of the take.
        take: the performance.
        count: how many views are wanted at most.
        shortlist: how many frames of each to look at for the sharpest.

    Returns:
        Rows of the take, one list per view, the best first; views that differ less than some degrees are one.

    Raises:
        TakeError: no frame shows the face, or the take does not say where it is.
    """
    if "camera" not in take.raw or "rotation" not in take.raw:
        raise TakeError("The take does not say where in the picture the head is, so no skin can be taken from it.")
    turn = np.asarray(take.raw["rotation"], np.float64)
    cost = _liveliness(model, take) + 0.4 * np.abs(turn[:, 2]) + 1.5 * _speed(take)
    seen = np.ones(len(take), bool)
    if "visibility" in take.raw:
        seen &= np.asarray(take.raw["visibility"])[:, 0] > 0.5
    if "confidence" in take.raw:
        cost = cost + 0.5 * (1 - np.asarray(take.raw["confidence"])[:, 0])
    if not seen.any():
        raise TakeError("No frame of the take shows the face.")
    rows = np.flatnonzero(seen)
    face = turn[rows, :2]  # pitch and yaw
    chosen: list[int] = []
    gain = -cost[rows] - 0.6 * np.linalg.norm(face, axis=1)  # first the best of the frames that look at the camera
    for _ in range(count):
        best = int(np.argmax(gain))
        if not np.isfinite(gain[best]):
            break
        chosen.append(best)
        apart = np.min(np.linalg.norm(face[:, None] - face[chosen][None], axis=2), axis=1)
        gain = np.where(apart > _APART, np.minimum(apart, 0.6) * 2.0 - cost[rows], -np.inf)
    result = []
    for first in chosen:
        alike = np.flatnonzero(np.linalg.norm(face - face[first], axis=1) < _APART / 2)
        alike = alike[np.argsort(cost[rows[alike]])]
        group = [first]
        for other in alike:
            if len(group) >= shortlist:
                break
            if all(abs(int(rows[other]) - int(rows[g])) >= _SPAN for g in group):
                group.append(int(other))
        result.append([int(rows[g]) for g in group])
    return result


def _liveliness(model: HeadModel, take: Take) -> Floats:
    """(N,) how far each frame is from a face at rest with open eyes."""
    groups = {k: np.asarray(v, np.float64) for k, v in take.raw.items() if len(v)}
    try:
        weights = np.clip(arkit_from_groups(model, groups), 0, 1)
    except (KeyError, ValueError, TakeError):  # a head without ARKit names
        return np.abs(groups["expression"]).mean(axis=1) if "expression" in groups else np.zeros(len(take))
    blink = np.maximum(*(weights[:, ARKIT_INDEX[n]] for n in ("eyeBlinkLeft", "eyeBlinkRight")))
    jaw = weights[:, ARKIT_INDEX["jawOpen"]]
    rest = [i for n, i in ARKIT_INDEX.items() if not n.startswith(("eyeLook", "eyeBlink", "jawOpen"))]
    return (
        2.0 * np.clip((blink - 0.15) / (_BLINK - 0.15), 0, 2)
        + 1.2 * np.clip((jaw - 0.05) / (_OPEN - 0.05), 0, 2)
        + 0.25 * weights[:, rest].sum(axis=1)
    )


def _speed(take: Take) -> Floats:
    """(N,) how fast the head moves, in tenths of a head per frame: it blurs."""
    camera = np.asarray(take.raw["camera"], np.float64)
    place = camera[:, 1:] / np.maximum(camera[:, :1], 1e-9)  # metres in the picture
    step = np.zeros(len(place))
    if len(place) > 1:
        move = np.linalg.norm(np.diff(place, axis=0), axis=1) + 0.1 * np.linalg.norm(
            np.diff(np.asarray(take.raw["rotation"], np.float64), axis=0), axis=1
        )
        step[1:] = move
        step[:-1] = np.maximum(step[:-1], move)
    return np.clip(step / 0.02, 0, 2)


def take_view(model: HeadModel, take: Take, row: int, picture: Picture) -> PhotoView:
    """A row of a take and its picture as a view."""
    groups = {k: np.asarray(v[row])[None] for k, v in take.parameters(raw=True).items() if len(v)}
    return PhotoView(picture, np.asarray(decode(model, groups).vertices[0]), np.asarray(take.raw["camera"][row]))


def take_views(
    model: HeadModel,
    take: Take,
    *,
    count: int = 6,
    rows: Sequence[int] | None = None,
    read: Reader | None = None,
    progress: Progress = silent,
) -> list[PhotoView]:
    """The views of a photo or clip for :func:`smirk_core.rendering.photo_texture.blend_photos`.

    Args:
        model: the head of the take.
        take: the performance; of a photo the only frame is used.
        count: how many views at most.
        rows: use these rows of the take, and no choice.
        read: reads pictures; by default the footage that the take names.
        progress: called for every frame read; may raise Cancelled.

    Raises:
        TakeError: no frame shows the face, or the take does not say where it is.
        MediaError: the footage is not there any more or cannot be read.
    """
    steps = take_views_steps(model, take, count=count, rows=rows, read=read)
    while True:
        try:
            done, total = next(steps)
        except StopIteration as stop:
            return stop.value
        progress("Looking at frames", done, total)


def take_views_steps(
    model: HeadModel,
    take: Take,
    *,
    count: int = 6,
    rows: Sequence[int] | None = None,
    read: Reader | None = None,
) -> Generator[tuple[int, int], None, list[PhotoView]]:
    """As :func:`take_views`, giving (frames looked at, of how many) after each, for those who must not wait."""
    if rows is not None:
        if any(not 0 <= r < len(take) for r in rows):
            raise TakeError(f"The take has frames 0 to {len(take) - 1}.")
        groups = [[r] for r in rows]
    elif len(take) == 1:
        groups = [[0]]
    else:
        groups = choose_rows(model, take, count)
    if "camera" not in take.raw:
        raise TakeError("The take does not say where in the picture the head is, so no skin can be taken from it.")
    wanted = sorted({r for group in groups for r in group})
    best: dict[int, tuple[float, PhotoView]] = {}
    owner = {r: k for k, group in reversed(list(enumerate(groups))) for r in group}
    for done, (row, picture) in enumerate((read or read_rows)(take, wanted), 1):
        view = take_view(model, take, row, picture)
        sharp = _focus(model, view)
        k = owner[row]
        if k not in best or sharp > best[k][0]:
            best[k] = (sharp, view)
        yield done, len(wanted)
    if not best:
        raise MediaError(f"No frame of {take.info.source or 'the footage'} can be decoded.")
    return [best[k][1] for k in sorted(best)]


def _focus(model: HeadModel, view: PhotoView) -> float:
    """Contrast between neighbouring pixels of the face: the higher the sharper, for views of one face."""
    place = project(np.asarray(view.vertices, np.float64)[None], np.asarray(view.camera, np.float64)[None])[0, :, :2]
    face = model.regions.get("face")
    place = place if face is None or not face.any() else place[face]
    height, width = view.picture.shape[:2]
    low = np.clip(place.min(axis=0).astype(int), 0, (width - 1, height - 1))
    high = np.clip(place.max(axis=0).astype(int) + 1, 0, (width, height))
    part = view.picture[low[1] : high[1], low[0] : high[0], 1].astype(np.float32)
    if min(part.shape) < 5:
        return 0.0
    bent = 4 * part[1:-1, 1:-1] - part[:-2, 1:-1] - part[2:, 1:-1] - part[1:-1, :-2] - part[1:-1, 2:]
    return float(np.abs(bent).mean() / (part.mean() + 8))


def read_rows(take: Take, rows: Sequence[int]) -> Iterator[tuple[int, Picture]]:
    """Decode the frames of rows of a take from its footage, in one pass.

    Raises:
        MediaError: the footage is not there any more or cannot be read.
    """
    if not take.info.source:
        raise MediaError("The take has no footage, so no skin can be taken from it.")
    from ...tracking.media import open_media

    rate = take.info.rate if take.info.rate > 0 else 25.0
    media = open_media(take.info.source, sequence=take.info.kind == "sequence", rate=rate)
    times = [float(take.times[r]) for r in rows]
    before, waiting = None, 0
    for frame in media.frames():
        while waiting < len(rows) and before is not None and frame.time >= times[waiting]:
            nearer = frame if frame.time - times[waiting] < times[waiting] - before.time else before
            yield rows[waiting], nearer.image
            waiting += 1
        if waiting == len(rows):
            return
        before = frame
    while waiting < len(rows) and before is not None:
        yield rows[waiting], before.image
        waiting += 1
