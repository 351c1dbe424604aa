# SPDX-License-Identifier: Apache-2.0
"""Teeth, gums and tongue of the open head, in metres."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .build_parts import Part, flip, grid_quads

__all__ = ["teeth_row"]

Floats = npt.NDArray[np.floating[Any]]
MM = 1e-3

# Crown widths in mm from the midline backwards (upper, lower): textbook means of adult teeth.
_WIDTHS = {
    "upper": (8.5, 6.6, 7.6, 7.0, 6.8, 10.2, 9.6),
    "lower": (5.4, 5.9, 6.9, 7.0, 7.1, 11.0, 10.4),
}
_COLUMNS_PER_TOOTH = 3


def teeth_row(which: str) -> Part:
    """One jaw's teeth with gums. Metres; origin at the midline of the biting edge, +z front, teeth of ``upper`` up.

    14 teeth of three columns on an elliptic arch; seven rows from the gum in front over the edge to the back.
    """
    widths = np.array(_WIDTHS[which]) * MM
    edges = np.concatenate([[0], np.cumsum(widths)])
    inner = np.concatenate([edges[:-1, None] + widths[:, None] * [0, 0.3, 0.7]]).ravel()
    half = np.append(inner, edges[-1])
    along = np.concatenate([-half[:0:-1], half])  # 43 columns from right to left
    tooth = np.clip(np.searchsorted(edges, np.abs(along) + 1e-9, side="right") - 1, 0, len(widths) - 1)
    groove = np.isin(np.round(np.abs(along), 9), np.round(edges, 9))  # between two teeth

    # Arc length to the angle on the ellipse.
    across, deep = (27.5 * MM, 41 * MM) if which == "upper" else (25.5 * MM, 39 * MM)
    angle = np.linspace(0, np.pi / 2, 2000)
    curve = np.stack([across * np.sin(angle), deep * (np.cos(angle) - 1)], axis=1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    phi = np.sign(along) * np.interp(np.abs(along), length, angle)
    base = np.stack([across * np.sin(phi), 0 * phi, deep * (np.cos(phi) - 1)], axis=1)
    outward = np.stack([np.sin(phi) / across, 0 * phi, np.cos(phi) / deep], axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)

    back = np.interp(np.abs(along), [0, 18 * MM, 30 * MM], [0, 0.3, 1.0])  # 0 at the incisors, 1 at the molars
    crown = (9.6 if which == "upper" else 8.6) * MM * (1 - 0.28 * back) * np.where(tooth == 1, 0.96, 1.0)
    gap = groove.astype(float)
    # (depth, height) of the rows; a groove lies back and its gum reaches further down, its edge less far.
    rows = [
        (-0.5 + 0 * gap, crown / MM + 7.5),
        (0.7 - 0.2 * gap, crown / MM + 3.0),
        (0.35 - 0.35 * gap, crown / MM - 1.6 * gap),
        (0.9 - 0.8 * gap, 0.5 * crown / MM),
        (0.1 - 0.6 * gap + 0.3 * back, 0.5 + 0.5 * gap),
        (-1.0 - 5.5 * back, 0.2 + 0.6 * gap),
        (-3.4 - 4.5 * back, 0.8 * crown / MM),
    ]
    sign = 1.0 if which == "upper" else -1.0
    points = np.concatenate([base + outward * (d * MM)[:, None] + [0, sign * MM, 0] * h[:, None] for d, h in rows])
    columns = len(along)
    polygons = grid_quads(len(rows), columns, closed=False)
    if which == "lower":
        polygons = flip(polygons)
    gum = np.arange(len(polygons)) // (columns - 1) < 2
    return Part(points, polygons, np.where(gum, "gums", "teeth"))
