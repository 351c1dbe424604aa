# SPDX-License-Identifier: Apache-2.0
"""Fitted portraits as squares of one size around the faces, opened when asked for and kept on one device."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from smirk_core.errors import TrainingError
from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.head_model import HeadModel
from smirk_core.neural.torch_head import torch_head

from .fit_portraits import GROUPS, REASONS, load_fits

__all__ = ["ALBUM_SCALE", "Album"]

ALBUM_SCALE = 2.1  # of the kept square over the landmarks' box: hair and shoulders are there to be pulled in


@dataclass(frozen=True)
class Album:
    """Portraits ready to be worn, (N, ...) each, on one device.

    Attributes:
        pictures: (N, 3, T, T) uint8 squares around the faces.
        groups: fitted parameter groups; ``camera`` is that of the square, as of a crop.
        names: of the files.
        rejected: reason -> how many portraits of the fits are not used.
    """

    pictures: Tensor
    groups: dict[str, Tensor]
    names: list[str]
    rejected: dict[str, int]

    @staticmethod
    def load(
        fits: Path, faces: Path, model: HeadModel, size: int, device: torch.device | str = "cpu",
        limit: int | None = None, part: tuple[int, int] = (0, 1), scale: float = 1.4,
    ) -> Album:  # fmt: skip
        """Read portraits for pictures of ``size`` pixels; of many, ``limit`` evenly over the collection.

        Pictures will show ``scale`` landmarks' boxes along a side: the closer, the more pixels of a portrait are kept.

        ``part`` (k, n) reads every n-th portrait from the k-th on. Pictures that are gone are counted as rejected.

        Raises:
            TrainingError: the fits cannot be used, or no portrait is left.
        """
        rows = load_fits(fits, model)
        rejected = {REASONS[i]: int((rows["reason"] == i).sum()) for i in range(1, len(REASONS))}
        used = np.flatnonzero(rows["reason"] == 0)[part[0] :: part[1]]
        if limit is not None and limit < len(used):
            used = used[np.linspace(0, len(used) - 1, limit).astype(int)]
        groups = {n: rows[n][used].astype(np.float32) for n in GROUPS}
        posed = torch_head(model)
        marks = []
        for some in np.array_split(np.arange(len(used)), max(1, len(used) // 32)):
            values = {n: torch.from_numpy(groups[n][some]) for n in GROUPS}
            marks.append(landmark_points(posed, decode(posed, values).vertices, model.landmarks["mediapipe_478"]))
        if not len(used):
            raise TrainingError(f"No portrait of {fits} can be used.")
        points = torch.cat(marks).numpy()
        low, high = points[..., :2].min(1), points[..., :2].max(1)
        side = ALBUM_SCALE * (high - low).mean(1)
        middle = (low + high) / 2
        zoom, tx, ty = groups["camera"].T
        target = max(16, round(size * ALBUM_SCALE / scale))

        def square(i: int) -> npt.NDArray[np.uint8] | None:
            try:
                with Image.open(faces / str(rows["name"][used[i]])) as file:
                    picture = file.convert("RGB")
            except OSError:
                return None
            half = side[i] * zoom[i] / 2
            u, v = zoom[i] * middle[i, 0] + tx[i], -zoom[i] * middle[i, 1] + ty[i]
            # PIL counts from pixel corners, our places are pixel centres.
            return _square(picture, u + 0.5 - half, v + 0.5 - half, 2 * half, target)

        with ThreadPoolExecutor(4) as pool:
            pictures = list(pool.map(square, range(len(used))))
        there = np.array([p is not None for p in pictures])
        if not there.all():
            rejected["no picture"] = int((~there).sum())
        if not there.any():
            raise TrainingError(f"None of the portraits of {fits} is in {faces}.")
        groups["camera"] = np.stack([2 / side, -middle[:, 0], -middle[:, 1]], 1)
        kept = np.stack([p for p in pictures if p is not None]).transpose(0, 3, 1, 2)
        return Album(
            torch.from_numpy(np.ascontiguousarray(kept)).to(device),
            {n: torch.from_numpy(np.asarray(v[there], np.float32)).to(device) for n, v in groups.items()},
            [str(rows["name"][i]) for i in used[there]],
            rejected,
        )

    def __len__(self) -> int:
        return len(self.names)


def _square(picture: Image.Image, left: float, top: float, side: float, size: int) -> npt.NDArray[np.uint8]:
    """(size, size, 3) of a square that may reach beyond the picture; its border is repeated there."""
    margin = int(max(0, -left, -top, left + side - picture.width, top + side - picture.height) + 2)
    pixels = np.pad(np.asarray(picture), ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    box = (left + margin, top + margin, left + side + margin, top + side + margin)
    wide = Image.fromarray(pixels)
    return np.asarray(wide.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))
