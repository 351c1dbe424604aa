# SPDX-License-Identifier: Apache-2.0
"""Teeth, gums and palate of the open head, in the frame of the mouth (:mod:`.build_mouth`).

Left halves are built and right halves are their mirror images, so that the parts are symmetric to the last bit. Sizes
are textbook means of adult teeth (Wheeler's tables, rounded); turns and shifts of single teeth are the small
irregularities that keep a row of teeth from looking made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_mouth import MouthPart
from .build_parts import flip, grid_quads

__all__ = ["teeth_row"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
MM = 1e-3
_RING, _LEVELS = 12, 6  # vertices around a crown and rings from below the gum to the biting edge
_GUM_COLUMNS = 4  # columns of gum per tooth


@dataclass(frozen=True)
class _Tooth:
    """Crown of one tooth: ``width`` along the arch, ``depth`` across, ``height`` in mm; ``lift`` of its edge above
    the front teeth's, ``turn`` in degrees (its distal side outward), ``out`` in mm, ``tilt`` of its face in degrees.
    """

    kind: str
    width: float
    depth: float
    height: float
    lift: float = 0.0
    turn: float = 0.0
    out: float = 0.0
    tilt: float = 0.0


_TEETH = {
    "upper": (
        _Tooth("incisor", 8.5, 6.6, 10.0, 0.0, 4.0, 0.0, 13.0),
        _Tooth("incisor", 6.6, 6.0, 8.9, 0.7, 6.0, -0.35, 12.0),
        _Tooth("canine", 7.6, 7.8, 9.8, 0.1, -5.0, 0.35, 7.0),
        _Tooth("premolar", 7.0, 8.8, 8.3, 0.7, 3.0, 0.0, 3.0),
        _Tooth("premolar", 6.8, 8.8, 7.9, 1.1, -2.0, -0.1, 2.0),
        _Tooth("molar", 10.2, 10.8, 7.3, 1.5, 0.0, 0.0, 0.0),
        _Tooth("molar", 9.6, 10.6, 6.9, 1.9, 2.0, -0.1, -2.0),
    ),
    "lower": (
        _Tooth("incisor", 5.4, 5.9, 8.6, 0.0, 6.0, 0.0, 10.0),
        _Tooth("incisor", 5.9, 6.2, 8.8, 0.25, -5.0, 0.25, 9.0),
        _Tooth("canine", 6.9, 7.4, 9.8, -0.3, 5.0, -0.1, 5.0),
        _Tooth("premolar", 7.0, 7.6, 8.2, 0.5, -4.0, 0.1, 1.0),
        _Tooth("premolar", 7.1, 8.0, 7.8, 0.9, 3.0, 0.0, -3.0),
        _Tooth("molar", 10.9, 10.2, 7.2, 1.1, 0.0, 0.0, -6.0),
        _Tooth("molar", 10.3, 10.0, 6.8, 1.2, 0.0, 0.0, -8.0),
    ),
}
# Half the width and the depth of the line through the crowns' middles; the upper teeth's cusps stand 52 mm apart.
_ARCH = {"upper": (25.0, 44.0), "lower": (22.6, 41.5)}
_BLUNT = 2.25  # exponent of the arch; 2 is an ellipse
_LINE = 0.42  # the arch runs this share of a crown's depth behind its outer face
_GAP = -0.12  # mm between neighbours: crowns that touch meet in a small face
_OVERJET, _FREEWAY = 2.9, 1.2  # mm: lower edges stand this far behind, and at rest this far above, the upper edges
_STAGES = np.array([-0.3, 0.03, 0.28, 0.55, 0.8, 0.95])  # of the crown's height, from the root to the edge
# At those stages: shares of the width and of the depth, and how far the outer face stands out in mm.
_PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    "incisor": ((0.6, 0.76, 0.9, 0.98, 1, 0.97), (0.85, 1, 0.86, 0.58, 0.38, 0.26), (-0.8, 0, 0.3, 0.3, 0.1, -0.25)),
    "canine": ((0.62, 0.76, 0.9, 1, 0.97, 0.72), (0.85, 1, 0.96, 0.78, 0.56, 0.34), (-0.8, 0, 0.4, 0.45, 0.1, -0.6)),
    "premolar": ((0.7, 0.82, 0.95, 1, 0.96, 0.8), (0.8, 0.94, 1, 0.98, 0.86, 0.7), (-0.8, 0, 0.3, 0.2, -0.4, -1.1)),
    "molar": ((0.78, 0.88, 0.97, 1, 0.97, 0.86), (0.82, 0.95, 1, 0.99, 0.9, 0.76), (-0.8, 0, 0.3, 0.2, -0.3, -0.9)),
}
# Around the crown: (along the arch, outward) of a unit cross-section, and the grid that closes the biting surface.
_ANGLES = np.radians([38, 64, 90, 116, 142, 180, 218, 244, 270, 296, 322, 360])
_CAP = np.array([
    (4, 3, 12, 5), (3, 2, 13, 12), (2, 1, 14, 13), (1, 0, 11, 14),
    (5, 12, 7, 6), (12, 13, 8, 7), (13, 14, 9, 8), (14, 11, 10, 9),
])  # fmt: skip


def _relief(kind: str, along: Floats, out: Floats) -> Floats:
    """Millimetres below the tip of the biting surface at (along, out) in [-1, 1]; +along is distal."""
    if kind == "incisor":
        return 0.35 * np.abs(along) ** 3 + 0.45 * np.clip(along, 0, None) ** 3
    if kind == "canine":
        return 1.4 * np.abs(along) ** 1.4 + 0.3 * np.clip(-out, 0, None)
    if kind == "premolar":
        return 1.1 * along**2 + 0.8 * np.clip(-out, 0, None) + 1.7 * (1 - np.abs(out)) * (1 - 0.5 * np.abs(along))
    cusps = np.abs(np.sin(np.pi * along))
    return 1.0 * (1 - cusps) * np.abs(out) + (1.9 - 0.4 * np.abs(along)) * (1 - np.abs(out))


def _crown(tooth: _Tooth) -> Floats:
    """(75, 3) millimetres: along the arch, up to the edge (0, roots negative) and outward (0 at the outer face)."""
    width, depth, face = (np.array(p) for p in _PROFILES[tooth.kind])
    c, s = np.cos(_ANGLES), np.sin(_ANGLES)
    power = 2 / (3.4 if tooth.kind in ("incisor", "molar") else 2.8)
    c, s = np.sign(c) * np.abs(c) ** power, np.sign(s) * np.abs(s) ** power
    s = s + 0.25 * (1 - s * s)  # crowns are widest, and touch, in their outer third
    narrow = np.where(s < 0, 1 + 0.2 * s, 1.0)  # crowns taper towards the tongue
    along = 0.5 * (tooth.width - _GAP) * width[:, None] * (c * narrow)[None]
    across = tooth.depth * depth[:, None]
    out = face[:, None] + across * (s[None] - 1) / 2
    height = (_STAGES[:, None] - 1) * tooth.height + np.zeros_like(out)
    share = np.interp(_STAGES, [0.55, 0.8, 0.95], [0, 0.45, 1])[:, None]
    height -= share * _relief(tooth.kind, c, s)[None]
    ring = np.stack([along, height, out], axis=-1)
    u = np.array([-0.55, 0.0, 0.55])
    last = ring[-1]
    middle = np.stack([u * last[:, 0].max(), -_relief(tooth.kind, u, np.zeros(3)), 0 * u + last[:, 2].mean()], axis=-1)
    if tooth.kind in ("incisor", "canine"):
        middle[:, 1] += 0.05 * tooth.height * 0.6  # a rounded edge
    return np.concatenate([ring.reshape(-1, 3), middle])


def _crown_polygons() -> Ints:
    body = flip(grid_quads(_LEVELS, _RING, closed=True))
    return np.concatenate([body, flip(_CAP) + (_LEVELS - 1) * _RING])


class _Arch:
    """The line through the middles of one jaw's crowns, in mm: position and outward direction by arc length."""

    def __init__(self, which: str) -> None:
        across, deep = _ARCH[which]
        angle = np.linspace(0, np.pi / 2, 6000)
        # A superellipse: flatter in front than an ellipse, as dental arches are.
        curve = np.stack([across * np.sin(angle) ** (2 / _BLUNT), deep * (np.cos(angle) ** (2 / _BLUNT) - 1)], axis=1)
        curve = np.append(curve, [[across, -deep - 20]], axis=0)  # on straight behind the widest place
        self._length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
        slope = np.gradient(curve, self._length, axis=0)
        slope[0] = [1, 0]
        self._curve, self._out = curve, np.stack([-slope[:, 1], slope[:, 0]], axis=1)

    def __call__(self, along: Floats) -> tuple[Floats, Floats]:
        """(n,) mm from the midline to (n, 2) points (x, z) and (n, 2) unit directions outward."""
        sign = np.where(along < 0, -1.0, 1.0)
        pairs = []
        for table in (self._curve, self._out):
            x, z = (np.interp(np.abs(along), self._length, table[:, k]) for k in range(2))
            pairs.append(np.stack([sign * x, z], axis=1))
        return pairs[0], pairs[1] / np.linalg.norm(pairs[1], axis=1, keepdims=True)


def _place(which: str, arch: _Arch, along: Floats, height: Floats, out: Floats, middle: Floats) -> Floats:
    """(n, 3) mm in the frame of the mouth, upper teeth's way up.

    Args:
        along: (n,) arc length; ``out``: (n,) from the outer faces, ``middle``: (n,) those before the arch's line;
        height: (n,) towards the gums.
    """
    base, normal = arch(along)
    flat = base + normal * (out + middle)[:, None]
    points = np.stack([flat[:, 0], height, flat[:, 1]], axis=1)
    first = _TEETH[which][0]
    points[:, 2] -= _LINE * first.depth
    return points


def _edges(which: str) -> Floats:
    return np.concatenate([[0], np.cumsum([t.width for t in _TEETH[which]])])


def _crowns(which: str) -> Floats:
    """(7, 75, 3) the left crowns in mm, upper way up."""
    arch, edges = _Arch(which), _edges(which)
    crowns = []
    for k, tooth in enumerate(_TEETH[which]):
        local = _crown(tooth)
        centre = (edges[k] + edges[k + 1]) / 2
        turn = np.radians(tooth.turn)
        pivot = 0.45 * tooth.depth
        along = local[:, 0] * np.cos(turn) - (local[:, 2] + pivot) * np.sin(turn)
        out = local[:, 0] * np.sin(turn) + (local[:, 2] + pivot) * np.cos(turn) - pivot
        height = -local[:, 1] + tooth.lift
        out = out + tooth.out - np.tan(np.radians(tooth.tilt)) * height
        # A crown is straight: it is laid along the tangent in its middle, not bent along the arch.
        base, normal = arch(np.array([centre]))
        tangent = np.array([normal[0, 1], -normal[0, 0]])
        flat = base + tangent * along[:, None] + normal * (out + _LINE * tooth.depth)[:, None]
        points = np.stack([flat[:, 0], height, flat[:, 1] - _LINE * _TEETH[which][0].depth], axis=1)
        crowns.append(points)
    return np.array(crowns)


def _gums(which: str) -> Floats:
    """(rows, columns, 3) mm of one jaw's gums from the vestibule over the ridge to the palate or the floor,
    columns from the subject's right to left."""
    teeth, edges, arch = _TEETH[which], _edges(which), _Arch(which)
    steps = np.arange(_GUM_COLUMNS) / _GUM_COLUMNS
    half = np.concatenate([*(edges[k] + steps * t.width for k, t in enumerate(teeth)), [edges[-1], edges[-1] + 2.5]])
    along = np.concatenate([-half[:0:-1], half])
    away = np.abs(along)
    middles = (edges[:-1] + edges[1:]) / 2

    def smooth(values: list[float]) -> Floats:
        return np.interp(away, middles, values)

    crown = smooth([t.height + t.lift for t in teeth])
    depth, out = smooth([t.depth for t in teeth]), smooth([t.out for t in teeth])
    slope = np.tan(np.radians(smooth([t.tilt for t in teeth])))
    own = np.clip(np.searchsorted(edges, away + 1e-9, side="right") - 1, 0, len(teeth) - 1)
    place = np.clip((away - edges[own]) / np.array([t.width for t in teeth])[own], 0, 1)
    between = np.abs(2 * place - 1) ** 2.2  # 1 between two teeth, 0 in a tooth's middle
    between[away > edges[-1] + 0.01] = 0.2
    papilla = 3.1 * between
    end = np.clip((away - edges[-1]) / 2.5, 0, 1)  # behind the last tooth
    rows = [
        (-2.0 + 0 * away, crown + 12.5),
        (0.4 + 0 * away, crown + 8.0),
        (0.75 - 0.35 * between, crown + 3.8),
        (0.65 - 0.75 * between, crown + 1.0 - 0.55 * papilla),
        (0.10 - 1.5 * between, crown - 0.55 - papilla),
        (-1.3 - 1.2 * between, crown + 0.1 - papilla),
        (-depth + 1.4 + 0.9 * between, crown + 0.1 - 0.8 * papilla),
        (-depth - 0.15 + 1.0 * between, crown - 0.4 - 0.8 * papilla),
        (-depth - 0.9 + 0.4 * between, crown + 1.6),
        (-depth - 1.6, crown + 4.6),
    ]
    points = []
    for o, h in rows:
        h = h - 3.0 * end * (1 - between)
        points.append(_place(which, arch, along, h, o + out - slope * np.minimum(h, crown + 3), _LINE * depth))
    inner = points[-1]
    back = inner[:, 2].min()
    if which == "upper":
        # The palate: the gum's inner line drawn in towards the midline and up into a vault.
        for share, rise in ((0.8, 3.4), (0.52, 7.6), (0.24, 9.4), (0.0, 9.6)):
            ahead = (inner[:, 2] - back) / (inner[:, 2].max() - back)
            points.append(
                np.stack(
                    [
                        inner[:, 0] * share,
                        inner[:, 1] + rise * (1 - 0.35 * ahead),
                        back + (inner[:, 2] - back) * (0.72 + 0.28 * share),
                    ],
                    axis=1,
                )
            )
    else:
        points.append(_place(which, arch, along, crown + 9.0, -depth - 0.6 + out - slope * (crown + 3), _LINE * depth))
    return np.array(points)


def teeth_row(which: str) -> MouthPart:
    """One jaw's 14 teeth as separate crowns, with gums and, above, the palate.

    Args:
        which: ``"upper"`` or ``"lower"``.
    """
    crowns, gums = _crowns(which), _gums(which)
    if which == "lower":
        low = [0.0, _FREEWAY, -_OVERJET]
        crowns, gums = crowns * [1, -1, 1] + low, gums * [1, -1, 1] + low
    each = crowns.shape[1]
    body = _crown_polygons()
    left = np.concatenate([body + k * each for k in range(len(crowns))])
    count = len(crowns) * each
    # Seen from outside, a crown's along direction runs to the subject's left: upper crowns are wound for "down".
    left = left if which == "upper" else flip(left)
    right = flip(left) + count
    rows, columns = gums.shape[:2]
    gum_polygons = grid_quads(rows, columns, closed=False)
    gum_polygons = (gum_polygons if which == "upper" else flip(gum_polygons)) + 2 * count
    points = np.concatenate([crowns.reshape(-1, 3), crowns.reshape(-1, 3) * [-1, 1, 1], gums.reshape(-1, 3)])
    swap = np.concatenate([np.arange(count) + count, np.arange(count)])
    gum_mirror = np.arange(rows * columns).reshape(rows, columns)[:, ::-1].ravel() + 2 * count
    polygons = np.concatenate([left, right, gum_polygons])
    return MouthPart(
        points=points * MM,
        polygons=polygons,
        materials=np.repeat(["teeth", "gums"], [2 * len(left), len(gum_polygons)]),
        mirror=np.concatenate([swap, gum_mirror]),
    )
