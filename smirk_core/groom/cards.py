# SPDX-License-Identifier: Apache-2.0
"""Grows strips of hair from roots on the skin, and lays caps of short hair over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel
from .hull import head_hull
from .roots import Roots
from .wear import Wear

__all__ = ["CARD_COLUMNS", "cap", "grow_cards"]

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
CARD_COLUMNS = 4  # strips beside each other in the picture of strands
Flow = Callable[[Floats, Floats], Floats]


def grow_cards(
    model: HeadModel, roots: Roots, flow: Flow, length: Floats, *, lift: float, volume: Floats, weight: float,
    width: float, curl: float = 0.0, cling: float = 0.5, steps: int = 5, material: str = "strands", seed: int = 0,
) -> Wear:  # fmt: skip
    """Strips that leave the skin, follow a flow over the head and fall.

    Args:
        flow: (points, share of the length so far) -> (n, 3) where hair wants to go; it is laid onto the head.
        length: (n,) metres.
        lift: how steeply hair leaves the skin, 0 flat, 1 as much outward as along.
        volume: (n,) metres that hair keeps from the head at its middle.
        weight: how much it falls instead of following, growing towards the tip, 0 to 1.
        width: metres of a strip.
        curl: metres of its waves.
        cling: how far hair that stands off the skull comes back to it with each piece, 0 to 1.
        steps: pieces of a strip.
    """
    hull, random = head_hull(model), np.random.default_rng(seed)
    n = len(roots.points)
    piece = (length / steps)[:, None]
    place = roots.points - 0.6e-3 * roots.normals
    line, ways = [place], []
    before = roots.normals.copy()
    layer = random.uniform(0.35, 1.0, n) * volume
    phase = random.uniform(0, 2 * np.pi, (n, 3))
    for k in range(steps):
        s = k / steps
        out = hull.outward(place)
        wish = flow(place, np.full(n, s))
        wish = wish - out * (wish * out).sum(axis=1, keepdims=True) * (1 - s * weight)
        wish = wish / np.maximum(np.linalg.norm(wish, axis=1, keepdims=True), 1e-9)
        wish = wish + out * (lift * (1 - s) ** 2) + np.array([0.0, -1.0, 0.0]) * weight * (0.5 + 0.8 * s)
        wish = wish + curl / np.maximum(piece, 1e-6) * np.sin(phase + 2.6 * k)
        way = 0.25 * before + 0.75 * wish / np.maximum(np.linalg.norm(wish, axis=1, keepdims=True), 1e-9)
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        off = layer * np.sin(np.pi * min(0.8, 0.18 + 0.75 * (k + 1) / steps))
        moved = hull.pushed(place + piece * way, off, cling)
        step = moved - place
        step *= np.minimum(1.6 * piece / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9), 1)
        place = place + step
        before = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9)
        line.append(place)
        ways.append(before)
    lines = np.stack(line, axis=1)  # (n, steps + 1, 3)
    along = np.stack([ways[0], *ways], axis=1)
    out = np.stack([roots.normals, *(hull.outward(p) for p in line[1:])], axis=1)
    side = np.cross(along, out)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    s = np.linspace(0, 1, steps + 1)
    wide = 0.5 * width * np.interp(s, [0, 0.25, 0.7, 1], [0.75, 1.0, 0.9, 0.4]) * random.uniform(0.7, 1.2, (n, 1))
    strip = np.stack([lines - side * wide[..., None], lines + side * wide[..., None]], axis=2)
    column = random.integers(0, CARD_COLUMNS, n)[:, None, None]
    turned = random.integers(0, 2, n)[:, None, None]
    u = (column + 0.03 + 0.94 * np.abs(np.array([0, 1]) - turned)) / CARD_COLUMNS
    v = np.broadcast_to(0.01 + 0.98 * s[None, :, None], (n, steps + 1, 2))
    uvs = np.stack([np.broadcast_to(u, v.shape), v], axis=-1)
    rung = 2 * np.arange(steps)[:, None] + np.array([0, 1, 3, 2])
    polygons = (2 * (steps + 1) * np.arange(n)[:, None, None] + rung).reshape(-1, 4)
    each = 2 * (steps + 1)
    return Wear(
        points=strip.reshape(-1, 3),
        polygons=polygons,
        uvs=uvs.reshape(-1, 2),
        materials=np.full(len(polygons), material),
        corners=np.repeat(roots.corners, each, axis=0),
        weights=np.repeat(roots.weights, each, axis=0),
    )


def cap(
    model: HeadModel, height: Floats, allowed: Mask, *, over: float, soft: float, material: str, tile: float = 0.03
) -> Wear:
    """The skin itself once more, a little higher, where hair grows: short hair, or what shines through longer.

    Args:
        height: (V,) over the hairline, in distances between the eyes.
        allowed: (V,) vertices that its polygons may have.
        over: metres over the skin.
        soft: height over which hair becomes full: the picture's v runs from 0 to 1 over it.
        tile: metres that the picture's width covers.
    """
    usable = allowed & (height > -0.12)
    polygons = model.polygons[(usable[model.polygons] & (model.polygons >= 0)).all(axis=1)]
    inside = height[polygons].max(axis=1) > 0
    polygons = polygons[inside]
    used, local = np.unique(polygons, return_inverse=True)
    polygons = local.reshape(polygons.shape)
    place = model.template[used].astype(np.float64)
    a, b, c, d = (place[polygons[:, k]] for k in range(4))
    face = np.cross(c - a, d - b)
    normals = np.zeros_like(place)
    for k in range(4):
        np.add.at(normals, polygons[:, k], face)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    grown = np.clip(height[used] / max(soft, 1e-6), 0, 1)
    # Across: the way around the head, in metres at its width; the picture repeats there.
    turn = np.arctan2(place[:, 0], place[:, 2] + 0.05)
    uvs = np.stack([turn * 0.09 / tile, 0.01 + 0.98 * np.clip(height[used] / soft, 0, 1)], axis=1)
    weights = np.zeros((len(used), 3))
    weights[:, 0] = 1
    return Wear(
        points=place + normals * (0.25e-3 + (over - 0.25e-3) * grown)[:, None],
        polygons=polygons,
        uvs=uvs,
        materials=np.full(len(polygons), material),
        corners=np.repeat(used[:, None], 3, axis=1),
        weights=weights,
    )
