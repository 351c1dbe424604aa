# SPDX-License-Identifier: Apache-2.0
"""Spectacles fitted to one face: before nose, lashes, brows and cheeks, over the ears and down behind them.

They are rigid and belong to the head bone; :func:`glasses_on` fits them anew to another identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..heads.head_model import HeadModel
from .wear import Wear

__all__ = ["GLASSES", "Glasses", "glasses", "glasses_on"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Colour = tuple[float, float, float]
_RIM, _BAR = 40, 10
_GAP = 0.9e-3  # metres that every part keeps from the skin, but where it rests


@dataclass(frozen=True)
class Glasses:
    """A pair of glasses for eyes 58 mm apart; it grows with the face.

    Attributes:
        wide, tall: half sizes of a lens in metres.
        square: exponent of its outline: 2 an ellipse, 6 nearly a box; drop: how much narrower it is below, 0 to 1.
        tube, deep: half thickness of the frame across and along the line of sight, metres; 0 tube for none.
        lift: metres of the lenses' middle above the eyes.
        colour: sRGB of the frame; metal: whether it is.
        tint: sRGB of what passes the lens; dark: how much it hides, 0 to 1.
    """

    wide: float = 0.0235
    tall: float = 0.0185
    square: float = 2.6
    drop: float = 0.0
    tube: float = 0.0011
    deep: float = 0.0012
    lift: float = -0.003
    colour: Colour = (0.06, 0.05, 0.05)
    metal: bool = False
    tint: Colour = (0.95, 0.97, 1.0)
    dark: float = 0.04


GLASSES: MappingProxyType[str, Glasses] = MappingProxyType({
    "round": Glasses(wide=0.0225, tall=0.0215, square=2.0, tube=0.0007, deep=0.0008, colour=(0.62, 0.52, 0.35),
                     metal=True),
    "square": Glasses(wide=0.0255, tall=0.0175, square=5.0, tube=0.0018, deep=0.0019),
    "reading": Glasses(wide=0.0245, tall=0.0145, square=3.2, tube=0.0008, deep=0.0010, colour=(0.45, 0.45, 0.47),
                       metal=True, lift=-0.006),
    "rimless": Glasses(wide=0.0245, tall=0.0165, square=3.0, tube=0.0, colour=(0.60, 0.60, 0.62), metal=True),
    "horn": Glasses(wide=0.0245, tall=0.0185, square=3.4, drop=0.12, tube=0.0021, deep=0.0021,
                    colour=(0.23, 0.12, 0.06)),
    "sun": Glasses(wide=0.0275, tall=0.0225, square=2.8, drop=0.22, tube=0.0014, deep=0.0016, tint=(0.10, 0.09, 0.08),
                   dark=0.9, lift=-0.005),
})  # fmt: skip


def glasses(name: str) -> Glasses:
    """The glasses called ``name``.

    Raises:
        AssetError: there are none.
    """
    if name not in GLASSES:
        raise AssetError(f"There are no glasses '{name}'; there are {', '.join(GLASSES)}.")
    return GLASSES[name]


def _tube(path: Floats, across: float, along: float, up: Floats, closed: bool) -> tuple[Floats, Ints]:
    """A bar of six sides along (n, 3) ``path``; ``up`` (n, 3) is one of its axes, ``across`` its half size there."""
    n = len(path)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    other = np.cross(ahead, up)
    other /= np.maximum(np.linalg.norm(other, axis=1, keepdims=True), 1e-12)
    up = np.cross(other, ahead)
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-12)
    turn = (np.arange(6) + 0.5) * np.pi / 3
    ring = np.cos(turn)[:, None] * across * up[:, None] + np.sin(turn)[:, None] * along * other[:, None]
    grid = np.arange(6 * n).reshape(n, 6)
    a = grid if closed else grid[:-1]
    b = np.roll(grid, -1, 0) if closed else grid[1:]
    quads = np.stack([a, b, np.roll(b, -1, 1), np.roll(a, -1, 1)], axis=-1)
    return (path[:, None] + ring).reshape(-1, 3), quads.reshape(-1, 4)


def glasses_on(model: HeadModel, vertices: Floats, style: Glasses) -> Wear:
    """Glasses for (V, 3) ``vertices`` of an unturned, neutral head.

    Raises:
        AssetError: the head has no regions that say where nose and ears are.
    """
    missing = {"nose", "ears", "skin", "sockets"} - set(model.regions)
    if missing:
        raise AssetError(f"The head '{model.name}' has no regions {', '.join(sorted(missing))}: no glasses fit it.")
    eyes = model.joint_regressor[3:5].astype(np.float64) @ vertices
    middle, apart = eyes.mean(axis=0), float(eyes[0, 0] - eyes[1, 0])
    size = apart / 0.0582
    style = replace(style, wide=style.wide * size, tall=style.tall * size)
    solid = model.regions["skin"] & ~model.regions["sockets"]
    cards = [model.regions[n] for n in ("brow_strips",) if n in model.regions]
    skin = vertices[solid | np.logical_or.reduce(cards)] if cards else vertices[solid]
    ears = vertices[model.regions["ears"]]
    rims = [_rim(style, middle, apart, side) for side in (1, -1)]
    # Forward until no part of rims and bridge is inside the face: each point before the foremost skin near it.
    bridge = _bridge(style, rims)
    forward = max(_clearance(np.concatenate([*rims, bridge]), skin, style.deep), _lash_room(middle, rims, size))
    for part in (*rims, bridge):
        part[:, 2] += forward
    parts: list[tuple[Floats, Ints, str]] = []
    if style.tube > 0:
        for rim in rims:
            centre = rim.mean(axis=0)
            out = (rim - centre) * [1, 1, 0]
            parts.append((*_tube(rim, style.tube, style.deep, out, True), "frame"))
    thick = max(style.tube, 0.0007)
    level = np.tile([0.0, 1.0, 0.0], (_BAR, 1))
    parts.append((*_tube(bridge, thick, thick, level, False), "frame"))
    skull = _dense(model, vertices, solid)
    for rim, side in zip(rims, (1, -1), strict=True):
        ear = ears[ears[:, 0] * side > 0]
        # The region holds some of the skull round the ear: what stands out is the ear itself.
        ear = ear[np.abs(ear[:, 0]) > np.quantile(np.abs(ear[:, 0]), 0.4)]
        parts.append((*_temple(rim, ear, skull, side, thick), "frame"))
    for rim in rims:
        centre = rim.mean(axis=0) + np.array([0, 0, 0.0012])
        fan = np.stack([np.full(_RIM, _RIM), np.arange(_RIM), (np.arange(_RIM) + 1) % _RIM, np.full(_RIM, -1)], axis=1)
        parts.append((np.concatenate([rim, centre[None]]), fan, "lens"))
    return _wear(model, parts, middle)


def _rim(style: Glasses, middle: Floats, apart: float, side: int) -> Floats:
    turn = np.arange(_RIM) * (2 * np.pi / _RIM) * side
    c, s = np.cos(turn), np.sin(turn)
    power = 2 / style.square
    y = np.sign(s) * np.abs(s) ** power * style.tall
    x = np.sign(c) * np.abs(c) ** power * style.wide * (1 + style.drop * np.minimum(y, 0) / style.tall)
    place = side * (apart / 2 + 0.0025) + side * x
    # Lenses follow the face a little, and their lower edge stands nearer to it.
    z = -1.5 * np.abs(place) ** 2.0 - 0.10 * (style.tall - y)
    return np.stack([middle[0] + place, middle[1] + style.lift + y, middle[2] + z], axis=1)


def _bridge(style: Glasses, rims: list[Floats]) -> Floats:
    """From rim to rim over the nose, where they come closest above their middle."""
    height = rims[0][:, 1].mean() + 0.32 * style.tall
    inner = []
    for rim, side in zip(rims, (1, -1), strict=True):
        near = np.abs(rim[:, 1] - height) + 4 * side * rim[:, 0]
        inner.append(rim[near.argmin()])
    step = np.linspace(0, 1, _BAR)[:, None]
    arch = 4 * step * (1 - step)
    return inner[0] * (1 - step) + inner[1] * step + arch * np.array([0.0, 0.0022, 0.0018])


def _clearance(points: Floats, skin: Floats, deep: float) -> float:
    """How far points must go forward to lie before all skin within 2.5 mm of their line of sight."""
    apart = np.linalg.norm(points[:, None, :2] - skin[None, :, :2], axis=-1)
    front = skin[:, 2] > skin[:, 2].mean()
    depth = np.where((apart < 2.5e-3) & front, skin[None, :, 2], -np.inf).max(axis=1)
    return float(np.maximum(depth - points[:, 2], -np.inf).max() + deep + _GAP)


def _lash_room(middle: Floats, rims: list[Floats], size: float) -> float:
    """Lenses stand at least 21 mm before the middle of the eyeballs."""
    return max(float(middle[2] + 0.0215 * size - rim[:, 2].mean()) for rim in rims)


def _dense(model: HeadModel, vertices: Floats, solid: npt.NDArray[np.bool_]) -> Floats:
    """(n, 3) the skin of the skull's sides at vertices, edges and middles of its triangles; ears are left out."""
    bare = solid & ~model.regions["ears"] & (np.abs(vertices[:, 0]) > 0.03)
    corners = vertices[model.triangles[solid[model.triangles].all(axis=1) & bare[model.triangles].any(axis=1)]]
    # Triangles at an ear's root belong to the ear: the furthest out of each may not count.
    bare_only = corners[np.ptp(np.abs(corners[..., 0]), axis=1) < 0.012]
    edges = (bare_only + np.roll(bare_only, 1, axis=1)) / 2
    return np.concatenate([vertices[bare], bare_only.mean(axis=1), edges.reshape(-1, 3)])


def _temple(rim: Floats, ear: Floats, skull: Floats, side: int, thick: float) -> tuple[Floats, Ints]:
    """A side bar from the rim's outer edge back over the ear, outside the head, and down behind it.

    Args:
        ear: (n, 3) vertices of that ear; skull: (n, 3) of the skin beside it.
    """
    outer = rim[(rim[:, 0] * side + 0.35 * rim[:, 1]).argmax()]
    back = ear[:, 2].min() - 0.004
    start = outer + np.array([side * 0.0035, 0.0, -0.004])
    z = np.concatenate([np.linspace(start[2], back, 15), back - 0.001 * np.array([1.0, 2.0, 2.5])])
    # Straight to the top of the ear, along it, then down behind.
    lying = np.array([ear[np.abs(ear[:, 2] - k) < 0.006, 1].max(initial=-np.inf) for k in z]) + 1.5 * thick + _GAP
    high = lying[np.isfinite(lying)].max()
    slope = np.interp(z, [ear[:, 2].max(), start[2]], [high, start[1]])
    y = np.where(z > ear[:, 2].max() - 0.004, np.maximum(slope, np.where(np.isfinite(lying), lying, slope)), high)
    y[-4:] = high - np.array([0.0015, 0.006, 0.011, 0.016])
    beside = skull[skull[:, 0] * side > 0]
    near = (np.abs(beside[None, :, 1] - y[:, None]) < 0.008) & (np.abs(beside[None, :, 2] - z[:, None]) < 0.008)
    wide = np.where(near, np.abs(beside[None, :, 0]), 0).max(axis=1)
    known = np.flatnonzero(wide > 0)
    wide = np.interp(np.arange(len(z)), known, wide[known]) + 1.2 * thick + 1.4 * _GAP  # coarse skin leaves gaps
    step = np.linspace(0, 1, len(z))
    straight = np.abs(start[0]) * (1 - step) + wide[-5] * step
    x = side * np.maximum(wide, np.where(np.arange(len(z)) < len(z) - 4, straight, 0))
    path: Floats = np.concatenate([outer[None], np.stack([x, y, z], axis=1)]).astype(np.float64)
    level = np.tile([0.0, 1.0, 0.0], (len(path), 1))
    level[-4:] = [0.0, 0.45, 0.9]
    return _tube(path, 1.5 * thick, thick, level, False)


def _wear(model: HeadModel, parts: list[tuple[Floats, Ints, str]], middle: Floats) -> Wear:
    """All parts, held rigidly by the place between the eyes."""
    starts = np.cumsum([0, *(len(p) for p, _, _ in parts)])
    points = np.concatenate([p for p, _, _ in parts])
    polygons = np.concatenate([np.where(q >= 0, q + s, -1) for (_, q, _), s in zip(parts, starts, strict=False)])
    still = int(np.argmax(np.where(model.regions["scalp"], model.skinning_weights[:, 1], -1)))
    weights = np.zeros((len(points), 3))
    weights[:, 0] = 1
    return Wear(
        points=points,
        polygons=polygons,
        uvs=np.zeros((len(points), 2)),
        materials=np.concatenate([np.full(len(q), name) for _, q, name in parts]),
        corners=np.full((len(points), 3), still),
        weights=weights,
    )
