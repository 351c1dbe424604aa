# SPDX-License-Identifier: Apache-2.0
"""Batches of real faces: crops with landmarks in crop coordinates, hulls and trust, ready for the two paths.

In a configuration::

    data:
      source: faces
      options:
        sets:
          - {kind: prepared, path: data/faces, part: train, share: 0.7}
          - {kind: mead_sides, path: /data/MEAD, share: 0.3}
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow

from smirk_core.errors import TrainingError
from smirk_core.heads.landmark_sets import MEDIAPIPE_105
from smirk_core.neural.masking import hull_mask
from smirk_core.neural.paths import Batch
from smirk_core.tracking.crop import CROP_SIZE, crop_transform

from .augment import Augment
from .face_sets import Face
from .layouts import open_set
from .mix import Mix
from .source import Request

__all__ = ["SCALES", "Crop", "crop_coordinates", "crop_face", "faces", "to_batch"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
_log = logging.getLogger(__name__)
SCALES = (1.2, 1.8)  # of the crop in training; 1.6 otherwise
_HELD_SCALE = 1.6
_FAN_USED = 17  # FAN's contour; MediaPipe knows the rest better
_AHEAD = 3  # batches read while one is learnt from


@dataclass(frozen=True)
class Crop:
    """A square around a face.

    Attributes:
        picture: (S, S, 3) uint8.
        mediapipe: (478, 2) and fan: (68, 2) or None, crop coordinates: [-1, 1] from edge to edge, y down.
    """

    picture: Image
    mediapipe: Floats
    fan: Floats | None


def crop_coordinates(pixels: Floats, size: int, *, faithful: bool = False) -> Floats:
    """Pixels of a crop (origin at a pixel's centre) to [-1, 1] from edge to edge, as the rasteriser has it.

    ``faithful``: half a pixel beside that, as the original has it (specification, section 2.5).
    """
    return (np.asarray(pixels, np.float64) + (0.0 if faithful else 0.5)) * (2 / size) - 1


def crop_face(face: Face, size: int, scale: float, *, faithful: bool = False) -> Crop:
    """Cut SMIRK's square out of a picture.

    Args:
        face: picture and landmarks.
        size: of the crop in pixels.
        scale: of the crop over the landmarks' box.
        faithful: sample without anti-aliasing and cut to whole numbers, as the original does.
    """
    transform = crop_transform(face.mediapipe, scale)
    zoom = (size - 1) / (CROP_SIZE - 1)
    if faithful:
        picture = transform.apply(face.picture, size)
    else:
        k = float(transform.matrix[0, 0]) * zoom
        corner = -transform.matrix[:2, 2] * zoom / k  # frame pixel at the centre of the crop's first
        picture = _cut(face.picture, corner - 0.5 / k, size / k, size)

    def moved(points: Floats) -> Floats:
        return crop_coordinates(transform.to_crop(points[:, :2]) * zoom, size, faithful=faithful)

    return Crop(picture, moved(face.mediapipe), None if face.fan is None else moved(face.fan))


def _cut(image: Image, low: Floats, side: float, size: int) -> Image:
    """A square with its top-left edge at ``low`` (pixel centres at whole numbers), resampled; black outside."""
    first = np.floor(low + 0.5).astype(int) - 2
    width = math.ceil(side) + 6
    height, across = image.shape[:2]
    canvas = np.zeros((width, width, 3), np.uint8)
    x0, y0 = max(first[0], 0), max(first[1], 0)
    x1, y1 = min(first[0] + width, across), min(first[1] + width, height)
    if x1 > x0 and y1 > y0:
        canvas[y0 - first[1] : y1 - first[1], x0 - first[0] : x1 - first[0]] = image[y0:y1, x0:x1]
    x, y = (float(v) for v in low + 0.5 - first)
    square = Pillow.fromarray(canvas).resize((size, size), Pillow.Resampling.BILINEAR, box=(x, y, x + side, y + side))
    return np.array(square, np.uint8)


def to_batch(crops: Sequence[Crop], device: str | torch.device = "cpu") -> Batch:
    """Crops as tensors, with hulls; FAN landmarks are trusted where they are known, and of them the contour."""
    size = crops[0].picture.shape[0]
    pictures = torch.from_numpy(np.stack([c.picture for c in crops])).to(device, non_blocking=True)
    points = torch.from_numpy(np.stack([c.mediapipe for c in crops]).astype(np.float32)).to(device)
    known = torch.tensor([c.fan is not None for c in crops], device=device)
    blank = np.zeros((68, 2))
    fan = torch.from_numpy(np.stack([blank if c.fan is None else c.fan for c in crops]).astype(np.float32)).to(device)
    count = len(crops)
    trusted = known[:, None].float().repeat(1, 68)
    trusted[:, _FAN_USED:] = 0
    landmarks = {"mediapipe_478": points, "mediapipe_105": points[:, list(MEDIAPIPE_105)], "ibug_68": fan}
    trust = {"mediapipe_478": torch.ones(count, device=device), "mediapipe_105": torch.ones(count, device=device)}
    hull = hull_mask((points + 1) * (size / 2) - 0.5, size, size)
    image = pictures.permute(0, 3, 1, 2).float().div(255).contiguous()
    return Batch(image, hull, landmarks, trust | {"ibug_68": trusted}, {})


def faces(
    request: Request,
    *,
    sets: Sequence[Mapping[str, Any]],
    scale: Sequence[float] = SCALES,
    augment: Mapping[str, Any] | bool = True,
    workers: int = 4,
    faithful: bool = False,
) -> Iterator[Batch]:
    """Batches of real faces without end; a source of :mod:`training.data.source`.

    Args:
        request: size, number and seed of the batches.
        sets: each with ``kind`` (see :data:`training.data.layouts.LAYOUTS`), its arguments, and ``share`` of the batch.
        scale: bounds of the crop's scale in training; 1.6 otherwise.
        augment: settings of :class:`training.data.augment.Augment`, True for its defaults; only in training.
        workers: threads that read pictures (decoding lets go of Python's lock).
        faithful: crops, landmarks and aligned faces as in the original, half a pixel and aliasing included.

    Raises:
        TrainingError: a set cannot be opened, or too many of its samples cannot be used.
    """
    opened = [
        (open_set({k: v for k, v in words.items() if k != "share"}), float(words.get("share", 1.0))) for words in sets
    ]
    if len(scale) != 2 or not 0.5 < scale[0] <= scale[1] < 5:
        raise TrainingError(f"The scale of crops must be two numbers such as 1.2 and 1.8, not {list(scale)}.")
    mix = Mix(opened, request.batch, request.seed, request.rank, request.world, shuffled=request.training)
    change = None
    if request.training and augment is not False:
        change = Augment.of({} if augment is True else augment)
    targets = None
    if request.aligned:
        from smirk_core.neural.auxiliary.mica import with_aligned

        targets = partial(with_aligned, faithful=faithful)
    return _batches(request, mix, (float(scale[0]), float(scale[1])), change, targets, max(workers, 1), faithful)


def _batches(
    request: Request, mix: Mix, scale: tuple[float, float], change: Augment | None,
    targets: Callable[[Batch], Batch] | None, workers: int, faithful: bool,
) -> Iterator[Batch]:  # fmt: skip
    def one(slot: Any) -> Crop:
        face, dice = mix.read(slot)
        wide = float(dice.uniform(*scale)) if request.training else _HELD_SCALE
        return crop_face(face, request.size, wide, faithful=faithful)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="faces")
    waiting: deque[list[Future[Crop]]] = deque()
    number = request.start
    try:
        while True:
            while len(waiting) < _AHEAD:
                waiting.append([pool.submit(one, slot) for slot in mix.slots(number + len(waiting))])
            batch = to_batch([future.result() for future in waiting.popleft()], request.device)
            if change is not None:
                batch = change(batch, request.seed_of(number), targets)
            elif targets is not None:
                batch = targets(batch)
            yield batch
            number += 1
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if mix.failures.failed:
            _log.warning("%s", mix.failures)
