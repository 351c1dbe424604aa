# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's 478 face points: canonical places, left-right mirror, and the index sets other conventions use.

Left and right are the subject's. Points 0-467 lie on the face mesh; 468-472 are the right iris (centre, then its rim)
and 473-477 the left one. The canonical mesh is read from ``face_landmarker.task`` (Apache-2.0), where it is exactly
symmetric, so that the mirror permutation needs no table.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "BROWS", "EYES", "IBUG_68", "IRISES", "LIPS", "OVAL", "STABLE", "TASK_FILE", "canonical_mesh",
    "mirror_permutation",
]  # fmt: skip

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

TASK_FILE = Path(__file__).resolve().parents[2].parent / "shared" / "media" / "face_landmarker.task"
_METADATA = "geometry_pipeline_metadata_landmarks.binarypb"

# iBUG's 68 points in MediaPipe's numbering: contour, brows, nose, eyes, outer and inner lips.
IBUG_68 = np.array([
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
])  # fmt: skip

BROWS = np.array([70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285])
EYES = np.array([
    33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7,
    263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249,
])  # fmt: skip
LIPS = np.array([
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
])  # fmt: skip
OVAL = np.array([
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
])  # fmt: skip
IRISES = np.arange(468, 478)
# Points that expressions hardly move: eye corners, nose bridge, temples, forehead.
STABLE = np.array([33, 133, 362, 263, 6, 168, 197, 195, 127, 356, 162, 389, 234, 454, 10, 109, 338, 67, 297])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """(field number, raw content) of a protocol-buffer message; only lengths and fixed 32-bit values are met here."""

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(message):
        tag, at = varint(at)
        if tag & 7 == 0:
            _, at = varint(at)
            continue
        size = 4
        if tag & 7 == 2:
            size, at = varint(at)
        yield tag >> 3, message[at : at + size]
        at += size


@lru_cache(maxsize=1)
def canonical_mesh(task_file: Path = TASK_FILE) -> Floats:
    """(468, 3) centimetres, +x to the subject's left, +y up, +z out of the face.

    Field 1 of the landmarker's geometry metadata is the mesh; its field 3 holds x, y, z, u, v of every vertex.

    Raises:
        FileNotFoundError: there is no landmarker file to read it from.
    """
    with zipfile.ZipFile(task_file) as archive:
        metadata = archive.read(_METADATA)
    mesh = next(content for field, content in _fields(metadata) if field == 1)
    numbers = b"".join(content for field, content in _fields(mesh) if field == 3)
    return np.frombuffer(numbers, "<f4").astype(np.float64).reshape(-1, 5)[:, :3]


def mirror_permutation(task_file: Path = TASK_FILE) -> Ints:
    """(478,) the point that mirrors each point.

    The iris rims run centre, towards the subject's left, up, right, down on both sides (so left and right swap).
    """
    points = canonical_mesh(task_file)
    mirrored = points * [-1.0, 1.0, 1.0]
    partner = np.linalg.norm(mirrored[:, None] - points[None], axis=2).argmin(axis=1)
    return np.concatenate([partner, [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]])
