# SPDX-License-Identifier: Apache-2.0
"""Height maps of the wrinkle groups, drawn into the UV map of a head.

Every line is a valley with raised shoulders. Distances are measured along the skin of the template, not in the map,
so a fold is as wide in a stretched part of the map as anywhere.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .groups import GROUPS, Group
from .strokes import STEP, Pits, Skin, Stroke, lay
from .surface import SkinSurface, skin_normals, skin_surface

__all__ = ["WrinkleMaps", "wrinkle_maps"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_FLAT = 1.2e-5  # metres by which everything is lowered towards the level skin, so that groups end somewhere


@dataclass(frozen=True)
class WrinkleMaps:
    """Heights of G groups over one surface, kept sparse: most of a face is in no group.

    Attributes:
        surface: the texels.
        texels: G arrays (n,), rows of ``surface.texels`` that a group touches.
        heights: G arrays (n,) float32 metres, at full strength.
        groups: G groups.
    """

    surface: SkinSurface
    texels: tuple[Ints, ...]
    heights: tuple[Floats, ...]
    groups: tuple[Group, ...]

    def height(self, weights: Floats) -> Floats:
        """(N,) float32 metres of all groups at weights (G,)."""
        total = np.zeros(len(self.surface.texels), np.float32)
        for rows, heights, weight in zip(self.texels, self.heights, weights, strict=True):
            if weight:
                total[rows] += np.float32(weight) * heights
        return total

    def group_map(self, index: int) -> Floats:
        """(height, width) float32 metres of one group, over the surface's window."""
        total = np.zeros(len(self.surface.texels), np.float32)
        total[self.texels[index]] = self.heights[index]
        return self.surface.as_map(total)


_cache: dict[tuple[str, int, int, int], WrinkleMaps] = {}


def wrinkle_maps(model: HeadModel, size: int = 2048, seed: int = 0) -> WrinkleMaps:
    """The generic wrinkles of a head; the same head, size and seed give the same maps. The last few are kept.

    Args:
        model: the head.
        size: S, texels to a side of the UV square; the maps cover the face's window of it.
        seed: of the chance in the lines: another number, another grown-up.

    Raises:
        AssetError: the head has no UVs or no dense landmarks.
    """
    surface = skin_surface(model, size)
    key = (model.digest, hash(model.uvs.tobytes()), size, seed)
    if key in _cache:
        return _cache[key]
    skin, canvas = _skin(model, surface), _Canvas.of(model, surface)
    texels, heights = [], []
    for group in GROUPS:
        rows, height = _group(group, canvas, skin, seed)
        texels.append(rows)
        heights.append(height)
    while len(_cache) >= 3:
        _cache.pop(next(iter(_cache)))
    _cache[key] = WrinkleMaps(surface, tuple(texels), tuple(heights), GROUPS)
    return _cache[key]


@dataclass(frozen=True)
class _Canvas:
    """Texels that may be drawn on, from the lowest to the highest.

    Attributes:
        rows: (n,) rows of the surface's texels.
        position, normal: (n, 3) float32.
        open: (n,) float32, 1 on the outside of the face, 0 in the mouth, the ears and behind the lids.
    """

    rows: Ints
    position: Floats
    normal: Floats
    open: Floats

    @staticmethod
    def of(model: HeadModel, surface: SkinSurface) -> _Canvas:
        hidden = np.zeros(len(model.template), bool)
        for name in ("ears", "mouth_interior", "sockets"):
            hidden |= np.asarray(model.regions.get(name, np.zeros(len(hidden), bool)), bool)
        rows = np.flatnonzero(surface.normal[:, 2] > -0.35)
        rows = rows[np.argsort(surface.position[rows, 1], kind="stable")]
        visible = surface.at_texels((~hidden).astype(np.float32))[rows]
        rows, visible = rows[visible > 0], visible[visible > 0]
        return _Canvas(rows, surface.position[rows], surface.normal[rows], visible)

    def normal_of(self, points: Floats) -> Floats:
        """(P, 3) normals of a coarse choice of texels that are nearest to points on the surface."""
        rows = self.near(points, 4e-3)
        rows = rows[:: max(1, len(rows) // 4000)]
        some = self.position[rows]
        square = (some**2).sum(axis=1)[None] - 2 * points @ some.T
        return self.normal[rows[square.argmin(axis=1)]]

    def near(self, points: Floats, margin: float) -> Ints:
        """Texels within a box around some points."""
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        begin, end = np.searchsorted(self.position[:, 1], [low[1], high[1]])
        some = self.position[begin:end]
        return begin + np.flatnonzero(((some > low) & (some < high)).all(axis=1))


def _skin(model: HeadModel, surface: SkinSurface) -> Skin:
    """Vertices of the face that lines may lie on: of the skin, and looking forward rather than into the head."""
    normals = skin_normals(model, model.template)
    kept = (normals[:, 2] > -0.3) & np.isin(np.arange(len(normals)), surface.corners)
    for name in ("ears", "mouth_interior"):
        kept &= ~np.asarray(model.regions.get(name, np.zeros(len(kept), bool)), bool)
    return Skin(model.template[kept].astype(np.float64), normals[kept], surface.landmarks)


def _group(group: Group, canvas: _Canvas, skin: Skin, seed: int) -> tuple[Ints, Floats]:
    # Groups that are windows of one set of lines draw the same lines.
    name = group.name.split("_")[0] if group.window else group.name
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    total = np.zeros(len(canvas.rows), np.float32)
    sides = (1.0,) if group.window else (group.side,) if group.side else (1.0, -1.0)
    for stroke in group.strokes:
        if isinstance(stroke, Pits):
            _draw_pits(total, stroke, canvas, skin, sides[0], rng)
            continue
        valley, shoulder = np.zeros_like(total), np.zeros_like(total)
        for line in (line for side in sides for line in lay(stroke, skin, side, rng)):
            _draw_line(valley, shoulder, line, canvas)
        total += shoulder + valley
    total *= canvas.open
    if group.window:
        begin, end = group.window
        x = np.abs(canvas.position[:, 0]) if group.name == "forehead" else group.side * canvas.position[:, 0]
        t = np.clip((1e3 * x - begin) / (end - begin), 0, 1)
        total *= t * t * (3 - 2 * t)
    total = np.asarray(np.sign(total) * np.maximum(np.abs(total) - np.float32(_FLAT), 0), np.float32)
    drawn = np.flatnonzero(total)
    rows = canvas.rows[drawn]
    order = np.argsort(rows)
    return rows[order], total[drawn][order]


def _draw_line(valley: Floats, shoulder: Floats, line: Stroke, canvas: _Canvas) -> None:
    profile = line.profile
    margin = 1e-3 * max(2.6 * profile.reach, 3.0 * profile.width)
    points = line.points.astype(np.float32)
    rows = canvas.near(points, margin)
    if not len(rows):
        return
    place = canvas.position[rows]
    square = (points**2).sum(axis=1)[None] - 2 * place @ points.T
    nearest = square.argmin(axis=1)
    along = np.gradient(line.points, axis=0)
    along = (along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    offset = place - points[nearest]
    normal, tangent = canvas.normal[rows], along[nearest]
    offset -= (offset * normal).sum(axis=1, keepdims=True) * normal
    ahead = (offset * tangent).sum(axis=1)
    sideways = (offset * np.cross(normal, tangent)).sum(axis=1) * line.side
    # Lips and lids have another side within reach: what looks elsewhere than the line does is not on it.
    facing = (normal * canvas.normal_of(points)[nearest]).sum(axis=1)
    # Between two points of the line the weight is that of the place, so that it does not go in steps.
    weight = np.interp(nearest + 1e3 / STEP * ahead, np.arange(len(points)), line.weight).astype(np.float32)
    weight *= np.clip((facing - 0.1) / 0.4, 0, 1)
    beyond = np.maximum(np.abs(ahead) - 1e-3 * STEP, 0)  # only past the ends
    distance = 1e3 * np.sqrt(sideways**2 + beyond**2)
    cut = np.exp(-((distance / profile.width) ** 1.5))
    hump = (distance / profile.reach) ** 2
    hump = hump * np.exp(1 - hump)
    lean = 1 + profile.lean * np.tanh(1e3 * sideways / (0.5 * profile.reach))
    # Folds that run together share their valley and their shoulders instead of piling up.
    valley[rows] = np.minimum(valley[rows], -1e-3 * profile.depth * weight * cut)
    rise = 1e-3 * profile.rise * weight * hump * lean
    before = shoulder[rows]
    shoulder[rows] = np.maximum(before, rise) + 0.35 * np.minimum(before, rise)


def _draw_pits(total: Floats, spec: Pits, canvas: _Canvas, skin: Skin, side: float, rng: np.random.Generator) -> None:
    """Pits that keep their distance, deepest in the middle of the oval."""
    tries = rng.uniform(-1, 1, (40 * spec.count, 2))
    tries = tries[(tries**2).sum(axis=1) < 1]
    apart = 1.15 * spec.radius * np.sqrt(2.0)
    chosen: list[Floats] = []
    for place in tries * spec.size:
        if len(chosen) < spec.count and all(np.hypot(*(place - other)) > apart for other in chosen):
            chosen.append(place)
    middle = skin.anchor(spec.centre, side)
    flat = np.stack(chosen)
    points = skin.onto(middle + 1e-3 * np.column_stack([flat, np.zeros(len(flat))])).astype(np.float32)
    rows = canvas.near(points, 4e-3 * spec.radius)
    if not len(rows):
        return
    square = ((canvas.position[rows][:, None] - points[None]) ** 2).sum(axis=2)
    radius = (spec.radius * rng.uniform(0.7, 1.25, len(points)) * 1e-3).astype(np.float32)
    fade = 1 - np.clip(((flat / spec.size) ** 2).sum(axis=1), 0, 1) ** 1.5
    depth = (1e-3 * spec.depth * rng.uniform(0.5, 1.0, len(points)) * fade).astype(np.float32)
    near = np.exp(-0.5 * square / radius**2)
    total[rows] -= near @ depth
    # Between the pits the skin swells.
    total[rows] += 0.5 * np.exp(-0.5 * square / (2.6 * radius) ** 2) @ depth * 0.35
