# SPDX-License-Identifier: Apache-2.0
"""SMIRK's crop, forth and back: the square around a face that the encoder sees, and its camera.

Convention: crop pixels like frame pixels, origin at the centre of the top-left pixel. Landmarks (100, 80), (300, 90),
(210, 340), (120, 200) at scale 1.4 give a square of 322 pixels about (200, 210) and the matrix
[[.69254658, 0, -27.00931677], [0, .69254658, -33.93478261]].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CROP_SIZE", "CropTransform", "cameras_to_frame", "crop_transform"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
CROP_SIZE = 224


@dataclass(frozen=True)
class CropTransform:
    """The similarity between frame and crop.

    Attributes:
        matrix: (3, 3) float64, frame pixels to pixels of the 224 crop: [[k, 0, m02], [0, k, m12], [0, 0, 1]].
    """

    matrix: Floats

    def __post_init__(self) -> None:
        m = np.asarray(self.matrix, dtype=np.float64)
        if m.shape != (3, 3) or not np.isfinite(m).all() or not m[0, 0] > 0:
            raise ValueError(f"expected a finite (3, 3) crop matrix with a scale above 0, got {m!r}")
        object.__setattr__(self, "matrix", m)

    @property
    def _scale(self) -> float:
        return float(self.matrix[0, 0])

    @property
    def _shift(self) -> Floats:
        return self.matrix[:2, 2]

    def to_crop(self, points: Floats) -> Floats:
        """(..., 2 or 3) frame pixels to pixels of the 224 crop; a third coordinate is only scaled."""
        out = np.asarray(points, dtype=np.float64) * self._scale
        out[..., :2] += self._shift
        return out

    def to_frame(self, points: Floats) -> Floats:
        """The inverse of :meth:`to_crop`."""
        out = np.array(points, dtype=np.float64)
        out[..., :2] -= self._shift
        return out / self._scale

    def apply(self, image: Image, size: int = CROP_SIZE) -> Image:
        """The crop of a frame: (H, W, C) uint8 to (size, size, C) uint8.

        Bilinear in double precision, 0 outside the frame, no anti-aliasing, cut to whole numbers (not rounded): what
        scikit-image's ``warp`` and a cast give, which is what SMIRK was trained on.
        """
        zoom = (size - 1) / (CROP_SIZE - 1)
        steps = np.arange(size) / zoom
        columns, rows = (steps - self._shift[0]) / self._scale, (steps - self._shift[1]) / self._scale
        return _resample(image, columns, rows)

    def paste(self, crop: Image, width: int, height: int) -> Image:
        """A crop-sized picture back in its place: (S, S, C) uint8 to (height, width, C), 0 around it."""
        zoom = (len(crop) - 1) / (CROP_SIZE - 1)
        columns = (np.arange(width) * self._scale + self._shift[0]) * zoom
        rows = (np.arange(height) * self._scale + self._shift[1]) * zoom
        out = np.zeros((height, width, *crop.shape[2:]), dtype=np.uint8)
        x = np.flatnonzero((columns > -1) & (columns < len(crop)))
        y = np.flatnonzero((rows > -1) & (rows < len(crop)))
        if len(x) and len(y):
            out[y[0] : y[-1] + 1, x[0] : x[-1] + 1] = _resample(crop, columns[x], rows[y])
        return out

    def camera_to_frame(self, camera: Floats) -> Floats:
        """SMIRK's crop camera to the camera of a take.

        SMIRK puts a point (X, Y) at u = 112 (1 + s (X + tx)), v = 112 (1 - s (Y + ty)) of the crop; a take at
        u = scale X + tx, v = -scale Y + ty of the frame (:func:`smirk_core.heads.decode.project`).

        Args:
            camera: (..., 3) as (s, tx, ty).

        Returns:
            (..., 3) as (scale in px/m, tx, ty in px).
        """
        return cameras_to_frame(self.matrix, camera)

    def camera_to_crop(self, camera: Floats) -> Floats:
        """The inverse of :meth:`camera_to_frame`; the scale must not be 0."""
        cam, half = np.asarray(camera, dtype=np.float64) * self._scale, CROP_SIZE / 2
        s = cam[..., 0] / half
        u, v = cam[..., 1] + self._shift[0], cam[..., 2] + self._shift[1]
        return np.stack([s, (u / half - 1) / s, (1 - v / half) / s], axis=-1)


def cameras_to_frame(matrices: Floats, cameras: Floats) -> Floats:
    """:meth:`CropTransform.camera_to_frame` for many crops: matrices (..., 3, 3), cameras (..., 3) to (..., 3)."""
    m, cam, half = np.asarray(matrices, np.float64), np.asarray(cameras, np.float64), CROP_SIZE / 2
    s, tx, ty = cam[..., 0], cam[..., 1], cam[..., 2]
    u, v = half * (1 + s * tx), half * (1 - s * ty)  # where the origin of head space lands in the crop
    return np.stack([half * s, u - m[..., 0, 2], v - m[..., 1, 2]], axis=-1) / m[..., :1, 0]


def crop_transform(landmarks: Floats, scale: float = 1.4) -> CropTransform:
    """The square of SMIRK around a face.

    Its side is the mean of the width and height of the landmarks' box times ``scale``, cut to whole pixels; it is
    upright and centred on the box.

    Args:
        landmarks: (L, 2 or 3) frame pixels, all 478.
        scale: 1.4 as in SMIRK's demos.

    Raises:
        ValueError: the landmarks are not finite or cover less than a pixel.
    """
    points = np.asarray(landmarks, dtype=np.float64)[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low).sum() / 2
    side = int(extent * scale) if np.isfinite(extent) else 0
    if side < 1:
        raise ValueError("the landmarks of a crop must be finite and cover at least a pixel")
    k = (CROP_SIZE - 1) / side
    corner = (low + high) / 2 - side / 2
    return CropTransform(np.array([[k, 0.0, -k * corner[0]], [0.0, k, -k * corner[1]], [0.0, 0.0, 1.0]]))


def _resample(image: Image, columns: Floats, rows: Floats) -> Image:
    """(len(rows), len(columns), ...) pixels at real-valued columns and rows; 0 counts for what lies outside.

    Only the pixels that are needed are converted: a crop of an 8K frame costs what a crop of its square costs.
    """
    height, width = image.shape[:2]
    x0, y0 = np.floor(columns).astype(np.int64), np.floor(rows).astype(np.int64)
    xs, ys = np.stack([x0, x0 + 1], axis=1).ravel(), np.stack([y0, y0 + 1], axis=1).ravel()
    outside_x, outside_y = (xs < 0) | (xs >= width), (ys < 0) | (ys >= height)
    picked = image.take(ys.clip(0, height - 1), axis=0).take(xs.clip(0, width - 1), axis=1)
    picked[outside_y] = 0
    picked[:, outside_x] = 0

    tail = (1,) * (image.ndim - 2)
    dx = (columns - x0).reshape(1, -1, *tail)
    dy = (rows - y0).reshape(-1, 1, *tail)
    across = (1 - dx) * picked[:, 0::2]
    across += dx * picked[:, 1::2]
    out = (1 - dy) * across[0::2]
    out += dy * across[1::2]
    return out.astype(np.uint8)  # cuts the fraction off
