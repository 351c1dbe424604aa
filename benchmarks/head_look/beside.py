# SPDX-License-Identifier: Apache-2.0
"""Our sheets beside the prototype's and beside photographs: for judging only, never to be given away.

The photographs are of people who agreed to research; their licence (CC BY) would allow more than they did.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smirk_core.errors import AssetError
from smirk_core.rendering.overlay import label
from smirk_core.rendering.sheets import contact_sheet, save_picture

__all__ = ["write_beside"]

Picture = npt.NDArray[np.uint8]
# our sheet -> the prototype's, in shared/reference/open_head
PROTOTYPE = {"neutral": "sheet_neutral", "people": "sheet_ids", "expressions": "sheet_expr", "mouth": "sheet_close"}
WIDTH = 1600
# What of a square picture with a face in its middle shows (left, top, size), in shares of its side.
CROPS = {"people": (0.0, 0.0, 1.0), "eyes": (0.30, 0.33, 0.22), "mouth": (0.34, 0.56, 0.32)}


def write_beside(folder: Path, shared: Path, photographs: int = 16) -> list[Path]:
    """Write ``FOLDER/beside_NAME.png`` for every sheet that is there and has something to stand beside it.

    Raises:
        AssetError: the prototype's pictures or the photographs are not there.
    """
    old, faces = shared / "reference" / "open_head", shared / "faces" / "eval"
    if not old.is_dir() or not faces.is_dir():
        raise AssetError(f"Prototype's sheets and photographs are looked for in {shared}: give another with --shared.")
    files = sorted(faces.glob("*.jpg"))
    files = files[:: max(1, len(files) // photographs)][:photographs]
    written = []
    for name in sorted({*PROTOTYPE, *CROPS}):
        ours = folder / f"{name}.png"
        if not ours.exists():
            continue
        strips = [label(_wide(_read(ours)), "ours")]
        if name in PROTOTYPE:
            strips.append(label(_wide(_read(old / f"{PROTOTYPE[name]}.png")), "prototype"))
        if name in CROPS:
            strips.append(label(_wide(_photographs(files, CROPS[name])), "photographs"))
        written.append(save_picture(np.concatenate(strips), folder / f"beside_{name}.png"))
    return written


def _read(path: Path) -> Picture:
    return np.asarray(Image.open(path).convert("RGB"))


def _wide(picture: Picture) -> Picture:
    """The picture scaled to the common width."""
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    return np.asarray(Image.fromarray(picture).resize((WIDTH, height), Image.Resampling.LANCZOS))


def _photographs(files: list[Path], crop: tuple[float, float, float]) -> Picture:
    cells: list[Any] = []
    for path in files:
        image = Image.open(path).convert("RGB")
        left, top, size = (round(c * image.width) for c in crop)
        cells.append(np.asarray(image.crop((left, top, left + size, top + size)).resize((256, 256))))
    return contact_sheet(cells, 8)
