# SPDX-License-Identifier: Apache-2.0
"""The room that a head takes up, as hair sees it: a distance from an axis that hair must keep.

Above its centre the head is a ball of rays, below it a pillar of rows; both know the furthest skin in each direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..heads.head_model import HeadModel

__all__ = ["Hull", "head_hull"]

Floats = npt.NDArray[np.floating[Any]]
_TURNS, _RISES, _ROWS = 72, 19, 40
_LOWEST = -0.30  # metres below the centre


@dataclass(frozen=True)
class Hull:
    """Attributes:
    centre: (3,) inside the skull.
    dome: (turns, rises) metres from the centre, from level to straight up.
    pillar: (turns, rows) metres from the vertical axis, from level downwards.
    """

    centre: Floats
    dome: Floats
    pillar: Floats

    def outward(self, points: Floats) -> Floats:
        """(n, 3) unit vectors away from the centre, level below it."""
        away = points - self.centre
        away[:, 1] = np.maximum(away[:, 1], 0)
        return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)

    def pushed(self, points: Floats, distance: Floats, cling: float = 0.0) -> Floats:
        """(n, 3) points, those nearer to the head than ``distance`` (n,) moved outwards onto that distance.

        ``cling`` is the share by which points further from the skull come back to it; beside neck and face none do.
        """
        away = points - self.centre
        above = away[:, 1] > 0
        level = np.hypot(away[:, 0], away[:, 2])
        turn = (np.arctan2(away[:, 0], away[:, 2]) / (2 * np.pi)) % 1 * _TURNS
        rise = np.arctan2(np.maximum(away[:, 1], 0), level) / (np.pi / 2) * (_RISES - 1)
        row = np.clip(-away[:, 1] / -_LOWEST, 0, 1) * (_ROWS - 1)
        limit = np.where(above, _bilinear(self.dome, turn, rise), _bilinear(self.pillar, turn, row)) + distance
        length = np.where(above, np.linalg.norm(away, axis=1), level)
        grow = limit / np.maximum(length, 1e-6)
        grow = np.where(grow < 1, 1 + np.where(above, cling, 0.0) * (grow - 1), grow)
        scale = np.stack([grow, np.where(above, grow, 1), grow], axis=1)
        return self.centre + away * scale


def _bilinear(table: Floats, turn: Floats, other: Floats) -> Floats:
    """Values at fractional places of a (turns, m) table that closes in its first axis."""
    a, b = np.floor(turn).astype(int), np.minimum(np.floor(other).astype(int), table.shape[1] - 2)
    s, t = turn - a, other - b
    a, c = a % len(table), (a + 1) % len(table)
    low = table[a, b] * (1 - t) + table[a, b + 1] * t
    high = table[c, b] * (1 - t) + table[c, b + 1] * t
    return low * (1 - s) + high * s


_hulls: dict[str, Hull] = {}


def head_hull(model: HeadModel) -> Hull:
    """The hull of a head's template, computed once."""
    if model.digest not in _hulls:
        _hulls[model.digest] = _hull(model)
    return _hulls[model.digest]


@lru_cache(maxsize=1)
def _directions() -> npt.NDArray[Any]:
    turn = np.arange(_TURNS)[:, None] * (2 * np.pi / _TURNS)
    rise = np.linspace(0, np.pi / 2, _RISES)[None]
    return np.stack([np.sin(turn) * np.cos(rise), np.sin(rise) + 0 * turn, np.cos(turn) * np.cos(rise)], axis=-1)


def _hull(model: HeadModel) -> Hull:
    skin = model.template[model.regions["skin"] & ~model.regions["sockets"]].astype(np.float64)
    eyes = (model.joint_regressor[3:5] @ model.template).mean(axis=0)
    centre = eyes + np.array([0.0, 0.016, -0.082])
    offset = skin - centre
    length = np.linalg.norm(offset, axis=1)
    near = (_directions().reshape(-1, 3) @ (offset / length[:, None]).T) > np.cos(np.radians(9))
    dome = np.where(near, length, 0).max(axis=1).reshape(_TURNS, _RISES)
    turn = np.arange(_TURNS) * (2 * np.pi / _TURNS)
    height = np.linspace(0, _LOWEST, _ROWS)
    level = np.hypot(offset[:, 0], offset[:, 2])
    apart = (np.arctan2(offset[:, 0], offset[:, 2])[None] - turn[:, None] + np.pi) % (2 * np.pi) - np.pi
    beside = (np.abs(apart) < np.radians(6))[:, None] & (np.abs(offset[None, :, 1] - height[:, None]) < 0.008)[None]
    pillar = np.where(beside, level[None, None], 0).max(axis=-1)
    for row in range(1, _ROWS):  # below the mesh the last ring goes on
        pillar[:, row] = np.where(pillar[:, row] > 0, pillar[:, row], pillar[:, row - 1])
    pillar[:, 0] = dome[:, 0] = np.maximum(pillar[:, 0], dome[:, 0])
    return Hull(centre, dome, pillar)
