# SPDX-License-Identifier: Apache-2.0
"""Hair, beanies and veils as one shell around the skull: a grid whose cut, volume and opening differ per person.

Rows of the grid run from the crown down to below the ears along rays from inside the skull, then on downwards as a
curtain. What is hair is decided per pixel from how far a point lies above a hairline, so that edges are strands and
not polygons. Lengths are in metres in the neutral, unturned head; "units" are distances between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from smirk_core.heads.head_model import HeadModel

from .dice import Dice

__all__ = ["STYLES", "Hair", "hair_shell", "sample_hair"]

STYLES = {"none": 0.30, "short": 0.22, "medium": 0.14, "long": 0.22, "fringe": 0.07, "beanie": 0.03, "veil": 0.02}
_TURNS, _RAYS, _DROPS = 64, 18, 14
_LAST_RAY = np.radians(100.0)
_LINE = ((0, 22, 38, 50, 60, 66, 71, 75, 80, 84, 104, 112, 122, 180),
         (1.42, 1.38, 1.18, 0.9, 0.72, 0.5, 0.0, -0.25, -0.2, 0.3, 0.35, -0.2, -0.95, -1.35))  # fmt: skip


@dataclass(frozen=True)
class Hair:
    """Cuts of a batch, each (B,) or (B, n): see :func:`sample_hair`."""

    style: Tensor
    volume: Tensor
    length: Tensor
    opening: Tensor
    fringe: Tensor
    parting: Tensor
    lumps: Tensor
    flare: Tensor


_skulls: dict[str, tuple[np.ndarray, np.ndarray, float]] = {}


def _skull(model: HeadModel) -> tuple[np.ndarray, np.ndarray, float]:
    """Radius (rays, turns) of the mean skull around its centre, that centre, and one unit in metres."""
    if model.digest in _skulls:
        return _skulls[model.digest]
    skin = model.template[model.regions["skin"] & ~model.regions["ears"] & ~model.regions["nose"]]
    eyes = model.joint_regressor[3:5] @ model.template
    unit = float(np.linalg.norm(eyes[0] - eyes[1]))
    centre = eyes.mean(0) + np.array([0.0, 0.012, -0.075])
    offset = skin - centre
    radius = np.linalg.norm(offset, axis=1)
    tree = KDTree(offset / radius[:, None])
    polar = np.linspace(0, _LAST_RAY, _RAYS)[:, None]
    turn = np.linspace(-np.pi, np.pi, _TURNS, endpoint=False)[None]
    rays = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn, np.sin(polar) * np.cos(turn)], -1)
    distance, near = tree.query(rays.reshape(-1, 3), k=8)
    weight = 1 / (distance + 0.02)
    out = ((radius[near] * weight).sum(1) / weight.sum(1)).reshape(_RAYS, _TURNS)
    out = np.maximum(out, radius[near].max(1).reshape(out.shape) - 0.003)
    _skulls[model.digest] = out, centre, unit
    return _skulls[model.digest]


@lru_cache(maxsize=4)
def _grid_triangles() -> np.ndarray:
    """(F, 3) of the grid, counter-clockwise from outside."""
    rows = _RAYS + _DROPS
    a = np.arange(rows * _TURNS).reshape(rows, _TURNS)
    b, c, d = np.roll(a, -1, 1)[:-1], a[1:], np.roll(a, -1, 1)[1:]
    a = a[:-1]
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def sample_hair(dice: Dice, count: int) -> Hair:
    """Random cuts."""
    edges = torch.tensor(list(STYLES.values()), device=dice.device).cumsum(0)
    style = torch.searchsorted(edges[:-1].contiguous(), dice.uniform(0, 1, count))

    def by_style(*values: tuple[float, float]) -> Tensor:
        low, high = torch.tensor(values, device=dice.device).T
        return low[style] + (high - low)[style] * dice.uniform(0, 1, count)

    nothing = (0.0, 0.0)
    return Hair(
        style=style,
        volume=by_style(nothing, (0.004, 0.020), (0.008, 0.030), (0.007, 0.026), (0.008, 0.022), (0.006, 0.012),
                        (0.008, 0.014)),
        length=by_style(nothing, nothing, (0.02, 0.09), (0.10, 0.24), (0.02, 0.2), nothing, (0.2, 0.25)),
        opening=by_style(nothing, (74, 78), (64, 80), (62, 84), (62, 80), (70, 76), (58, 66)),
        fringe=by_style(nothing, (-0.15, 0.15), (-0.1, 0.35), (-0.15, 0.3), (0.5, 0.95), (0.2, 0.6), (0.1, 0.3)),
        parting=(40 * dice.normal(count)).clamp(-50, 50),
        lumps=dice.normal(count, 12) * by_style(nothing, (0.05, 0.4), (0.1, 0.5), (0.1, 0.6), (0.05, 0.3),
                                                (0.02, 0.1), (0.02, 0.1))[:, None],
        flare=by_style(nothing, nothing, (-0.2, 0.5), (-0.25, 0.5), (-0.2, 0.3), nothing, (0.2, 0.5)),
    )  # fmt: skip


def hair_shell(model: HeadModel, hair: Hair, scale: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The shell of each person, in the unturned head.

    Args:
        model: the head (NumPy).
        hair: of the batch.
        scale: (B, 3) size of each skull over the mean one.

    Returns:
        vertices (B, N, 3), triangles (F, 3), height above the hairline (B, N) in units, and strand coordinates
        (B, N, 2) around and along. Without hair the height is -1 everywhere.
    """
    device = scale.device
    radius, centre, unit = _skull(model)
    count = len(scale)
    turn = torch.linspace(-np.pi, np.pi, _TURNS + 1, device=device)[:-1]
    polar = torch.linspace(0, float(_LAST_RAY), _RAYS, device=device)
    ray = torch.as_tensor(radius, dtype=torch.float32, device=device)[None]
    p, t = polar[:, None], turn[None]
    wave = torch.stack(
        [torch.sin(k * t + j * p * 2.0 + phase) for k, j, phase in
         ((1, 1, 0.3), (2, 1, 1.9), (2, 3, 4.0), (3, 2, 0.0), (3, 0, 2.2), (4, 1, 5.1), (5, 3, 1.0), (5, 2, 3.3),
          (7, 1, 0.7), (8, 4, 2.9), (10, 2, 4.4), (12, 5, 1.2))], 0,
    )  # fmt: skip
    lump = (1 + torch.einsum("bk,krt->brt", hair.lumps, wave) * 0.35).clamp(0.15, 3)
    thick = hair.volume[:, None, None] * lump
    direction = torch.stack([p.sin() * t.sin(), p.cos() + 0 * t, p.sin() * t.cos()], -1)
    top = direction * (ray + thick)[..., None]
    # The curtain falls from the last ray; it hangs on the shell's widest row, so it clears cheeks and neck.
    step = torch.linspace(0, 1, _DROPS + 1, device=device)[1:]
    start = top[:, -1]
    drop = hair.length[:, None] * step
    out = 1 + hair.flare[:, None] * 0.35 * step * (1 - 0.4 * step)
    ring = start[:, None, :, :] * torch.stack([out, torch.ones_like(out), out], -1)[:, :, None]
    wavy = 0.004 * hair.lumps[:, :1] * torch.sin(step * 14)[None] * (hair.length > 0)[:, None]
    ring = ring * (1 + 8 * wavy[..., None, None] * torch.tensor([1.0, 0.0, 1.0], device=device))
    ring = ring - torch.stack([0 * drop, drop, 0 * drop], -1)[:, :, None]
    shell = torch.cat([top, ring], 1)
    middle = torch.as_tensor(centre, dtype=torch.float32, device=device)
    place = (shell + (middle - torch.as_tensor(_eyes(model), device=device))) / unit

    around = torch.rad2deg(torch.atan2(place[..., 0], place[..., 2] + 1.35))
    far = around.abs()
    line = _interp(far, _LINE, device)
    middle_of = hair.parting[:, None, None]
    line = line - hair.fringe[:, None, None] * torch.exp(-(((around - middle_of) / 48) ** 2))
    long = (hair.length > 0)[:, None, None]
    # Long hair covers the ears and falls: beyond its opening there is no hairline.
    below = torch.where(far > hair.opening[:, None, None], far - hair.opening[:, None, None], 0 * far)
    line = torch.where(long & (below > 0), torch.minimum(line, 0.6 - 0.5 * below), line)
    height = (place[..., 1] - line).clamp(-0.5, 0.5)
    height[:, _RAYS:] = torch.where(
        long, ((far - hair.opening[:, None, None]) / 22)[:, _RAYS:].clamp(-0.5, 0.5), torch.tensor(-1.0, device=device)
    )
    height = torch.where((hair.style == 0)[:, None, None], -1.0, height)
    rows = torch.cat([polar * 0.1, 0.18 + step * 0.2])[:, None].expand(-1, _TURNS)
    strands = torch.stack([(turn * 6 / np.pi)[None].expand_as(rows), rows * 9], -1)
    vertices = shell.reshape(count, -1, 3) * scale[:, None] + middle
    triangles = torch.as_tensor(_grid_triangles(), device=device)
    return vertices, triangles, height.reshape(count, -1), strands.reshape(1, -1, 2).expand(count, -1, -1)


def _eyes(model: HeadModel) -> np.ndarray:
    return (model.joint_regressor[3:5] @ model.template).mean(0).astype(np.float32)


def _interp(x: Tensor, table: tuple[tuple[float, ...], tuple[float, ...]], device: torch.device) -> Tensor:
    """Piecewise linear."""
    at, value = (torch.tensor(row, dtype=x.dtype, device=device) for row in table)
    k = torch.searchsorted(at, x.contiguous()).clamp(1, len(at) - 1)
    share = ((x - at[k - 1]) / (at[k] - at[k - 1])).clamp(0, 1)
    return value[k - 1] + share * (value[k] - value[k - 1])
