# SPDX-License-Identifier: Apache-2.0
"""A contact sheet of prepared faces: crops as they are stored, with some of their landmarks, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from smirk_core.export.atomic import atomic
from smirk_core.heads.landmark_sets import MEDIAPIPE_105

from .mediapipe_points import OVAL
from .prepared import Prepared

__all__ = ["contact_sheet"]

_CELL = 128


def contact_sheet(folder: Path, output: Path, count: int = 96, seed: int = 0) -> None:
    """A PNG of ``count`` faces drawn at random: outline of the face as a line, SMIRK's 105 landmarks as dots."""
    faces = Prepared(folder)
    rows = np.sort(np.random.default_rng(seed).permutation(len(faces))[:count])
    across = max(min(12, len(rows)), 1)
    sheet = Pillow.new("RGB", (across * _CELL, -(-len(rows) // across) * _CELL))
    draw = ImageDraw.Draw(sheet)
    for cell, row in enumerate(rows):
        corner = (cell % across * _CELL, cell // across * _CELL)
        picture = Pillow.fromarray(faces.picture(int(row)))
        k = _CELL / picture.width
        points = (faces.arrays["mediapipe"][row, :, :2] + 0.5) * k + corner
        sheet.paste(picture.resize((_CELL, _CELL), Pillow.Resampling.LANCZOS), corner)
        outline = [(float(x), float(y)) for x, y in points[[*OVAL, OVAL[0]]]]
        draw.line(outline, fill=(70, 160, 255), width=1)
        draw.point([(float(x), float(y)) for x, y in points[list(MEDIAPIPE_105)]], fill=(90, 255, 90))
    with atomic(output) as path:
        sheet.save(path, "PNG", optimize=True)
