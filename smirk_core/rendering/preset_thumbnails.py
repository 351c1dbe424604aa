# SPDX-License-Identifier: Apache-2.0
"""The pictures of the expression presets: ``python -m smirk_core.rendering.preset_thumbnails``.

They are part of the package (``assets/presets/NAME.png``) and are made anew whenever presets or head change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.decode import decode
from ..heads.head_model import HeadModel
from ..heads.library import load_head
from ..heads.presets import PRESETS, Preset, preset_groups
from .shading import Look, render_vertices
from .sheets import contact_sheet, save_picture, write_whole

__all__ = ["FOLDER", "SIZE", "thumbnail", "write_thumbnails"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]
FOLDER = Path(__file__).parent.parent / "assets" / "presets"
SIZE = 112  # px
_COLOURS = 96  # of the palette: a third of the size, nothing to be seen
_LOOK = Look(hair=0.0, sockets=0.35, brow_paint=0.6, key=(0.8, 0.77, 0.73), lash=0.5)


def thumbnail(model: HeadModel, chosen: Preset, size: int = SIZE) -> Picture:
    """(size, size, 4) uint8: the mean head with an expression, turned a little; the mouth close up for a viseme."""
    turn = 16.0 if chosen.kind == "expression" else 24.0
    groups = {**preset_groups(model, chosen), "rotation": np.radians([[0.0, turn, 0.0]])}
    vertices = np.asarray(decode(model, groups).vertices[0], np.float32)
    face = model.template[model.regions["face"]] if "face" in model.regions else model.template
    low, high = face.min(axis=0), face.max(axis=0)
    height = float(high[1] - low[1])
    if chosen.kind == "expression":
        extent, centre = 0.86 * height, float(low[1]) + 0.4 * height
    else:
        extent, centre = 0.52 * height, float(low[1]) + 0.2 * height
    # Where the middle of the face goes when the head turns about its joint.
    joint = np.asarray(decode(model, {}).joints[0, 0])
    across = float(np.sin(np.radians(turn)) * (high[2] - joint[2])) * 0.8
    scale, middle = size / extent, (size - 1) / 2
    camera = np.array([scale, middle - scale * across, middle + scale * centre])
    image, alpha = render_vertices(model, vertices, camera, size, size, _LOOK, supersample=3)
    return np.dstack([image, np.rint(alpha * 255).astype(np.uint8)])


def write_thumbnails(folder: Path = FOLDER, model: HeadModel | None = None, size: int = SIZE) -> list[Path]:
    """Write one small PNG for each preset."""
    from PIL import Image

    model = load_head() if model is None else model
    written = []
    for chosen in PRESETS:
        picture = Image.fromarray(thumbnail(model, chosen, size), "RGBA").quantize(_COLOURS, Image.Quantize.FASTOCTREE)
        path = folder / f"{chosen.name}.png"
        written.append(write_whole(path, lambda file, p=picture: p.save(file, "PNG", optimize=True)))
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-o", "--output", type=Path, default=FOLDER, help="folder (default: the package's own)")
    options.add_argument("--sheet", type=Path, help="also a sheet of them all, in large, to judge them")
    given = options.parse_args(arguments)
    write_thumbnails(given.output)
    if given.sheet is not None:
        model, grey = load_head(), 58
        cells = []
        for chosen in PRESETS:
            picture = thumbnail(model, chosen, 224)
            alpha = picture[..., 3:] / 255.0
            cells.append(np.rint(picture[..., :3] * alpha + grey * (1 - alpha)).astype(np.uint8))
        save_picture(contact_sheet(cells, 8, [p.label for p in PRESETS]), given.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
