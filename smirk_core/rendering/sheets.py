# SPDX-License-Identifier: Apache-2.0
"""Contact sheets: many small pictures in a grid, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ExportError
from .overlay import label

__all__ = ["contact_sheet", "save_picture", "write_whole"]

Picture = npt.NDArray[np.uint8]


def contact_sheet(
    pictures: Sequence[Picture], columns: int, labels: Sequence[str] = (), gap: int = 4, background: int = 12
) -> Picture:
    """Pictures of one size, left to right and top to bottom.

    Args:
        pictures: each (H, W, 3) uint8.
        columns: how many in a row.
        labels: names, in the same order; may be shorter.
        gap: pixels between pictures.
        background: grey of gaps and of empty places.

    Raises:
        ValueError: there is no picture, or their sizes differ.
    """
    if not pictures or len({p.shape for p in pictures}) != 1:
        raise ValueError(f"pictures of one size are needed, got {sorted({p.shape for p in pictures})}")
    height, width = pictures[0].shape[:2]
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), background, np.uint8)
    for k, picture in enumerate(pictures):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        named = label(picture, labels[k], max(11, height // 20)) if k < len(labels) else picture
        sheet[top : top + height, left : left + width] = named
    return sheet


def write_whole(path: str | os.PathLike[str], write: Callable[[IO[bytes]], Any]) -> Path:
    """Let ``write`` fill a temporary file in the folder of ``path``, then rename it; nothing is left on failure.

    Raises:
        ExportError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
            temporary = file.name
            write(file)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        if isinstance(error, OSError):
            raise ExportError(f"Cannot write {path}: {error.strerror or error}.") from error
        raise
    return path


def save_picture(picture: Picture, path: str | os.PathLike[str]) -> Path:
    """Write a (H, W, 3) picture as PNG or JPEG, by the name's ending.

    Raises:
        ExportError: the file cannot be written, or the ending is neither.
    """
    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
    kind = kinds.get(Path(path).suffix.lower())
    if kind is None:
        raise ExportError(f"Cannot write {path}: a picture ends in .png or .jpg.")
    options = {"quality": 92} if kind == "JPEG" else {"optimize": True}
    return write_whole(path, lambda file: Image.fromarray(picture).save(file, format=kind, **options))
