# SPDX-License-Identifier: Apache-2.0
"""Things in front of faces: glasses as a mesh on the nose, hands, cups and boxes flat; batched, on the device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .dice import Dice

__all__ = ["Glasses", "glasses_mesh", "held_things", "sample_glasses"]

_RIM, _TUBE, _BAR = 28, 6, 9


@dataclass(frozen=True)
class Glasses:
    """Spectacles of a batch, (B,) or (B, 3).

    Attributes:
        worn: bool.
        wide, tall: half sizes of a lens, metres; square: 2 an ellipse, 6 nearly a box.
        tube: radius of the frame; lift: metres above the eyes' middle; forward: metres before the eyes.
        colour: linear light of the frame; shiny: its gloss.
        tint: linear light through the lens; dark: how much the lens hides.
    """

    worn: Tensor
    wide: Tensor
    tall: Tensor
    square: Tensor
    tube: Tensor
    lift: Tensor
    forward: Tensor
    colour: Tensor
    shiny: Tensor
    tint: Tensor
    dark: Tensor


def sample_glasses(dice: Dice, count: int, chance: float = 0.22) -> Glasses:
    """Reading glasses, thin and thick frames, one in seven dark."""
    black = dice.uniform(0.004, 0.04, count, 1).expand(-1, 3)
    brown = torch.tensor([0.10, 0.04, 0.015], device=dice.device) * dice.uniform(0.4, 2, count, 1)
    metal = dice.uniform(0.15, 0.5, count, 1) * torch.tensor([1.0, 0.95, 0.85], device=dice.device)
    loud = dice.uniform(0.02, 0.5, count, 3)
    kind = dice.pick(6, count)
    colour = torch.stack([black, black, brown, metal, metal, loud], 1)[torch.arange(count, device=dice.device), kind]
    sun = dice.coin(0.15, count)
    wide = dice.uniform(0.022, 0.0285, count)
    return Glasses(
        worn=dice.coin(chance, count), wide=wide, tall=wide * dice.uniform(0.6, 0.98, count),
        square=dice.uniform(2, 5, count), tube=0.0006 * 4.2 ** dice.uniform(0, 1, count),
        lift=dice.uniform(-0.007, 0.000, count), forward=dice.uniform(0.023, 0.028, count), colour=colour,
        shiny=dice.uniform(0.05, 0.6, count), tint=dice.uniform(0.01, 0.1, count, 3),
        dark=torch.where(sun, dice.uniform(0.75, 0.97, count), dice.uniform(0.0, 0.12, count)),
    )  # fmt: skip


def _tube_triangles(rings: int, closed: bool, first: int) -> np.ndarray:
    grid = first + np.arange(rings * _TUBE).reshape(rings, _TUBE)
    a = grid if closed else grid[:-1]
    c = np.roll(grid, -1, 0) if closed else grid[1:]
    b, d = np.roll(a, -1, 1), np.roll(c, -1, 1)
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])


@lru_cache(maxsize=1)
def _topology() -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the frame (two rims, a bridge, two temples) and of the two lenses, into one vertex list."""
    parts, first = [], 0
    for rings, closed in ((_RIM, True), (_RIM, True), (_BAR, False), (_BAR, False), (_BAR, False)):
        parts.append(_tube_triangles(rings, closed, first))
        first += rings * _TUBE
    lenses = []
    for _ in range(2):
        ring = first + np.arange(_RIM)
        lenses.append(np.stack([np.full(_RIM, first + _RIM), ring, np.roll(ring, -1)], -1))
        first += _RIM + 1
    return np.concatenate(parts), np.concatenate(lenses)


def _tube(path: Tensor, radius: Tensor, closed: bool) -> Tensor:
    """(B, R, 3) a path to (B, R * 6, 3) a tube around it."""
    if closed:
        along = path.roll(-1, 1) - path.roll(1, 1)
    else:
        along = torch.cat([path[:, 1:2] - path[:, :1], path[:, 2:] - path[:, :-2], path[:, -1:] - path[:, -2:-1]], 1)
    along = torch.nn.functional.normalize(along, dim=-1)
    other = path.new_tensor([0.13, 0.37, 0.92]).expand_as(along)
    one = torch.nn.functional.normalize(torch.linalg.cross(along, other), dim=-1)
    two = torch.linalg.cross(along, one)
    angle = torch.arange(_TUBE, device=path.device) * (2 * np.pi / _TUBE)
    ring = angle.cos()[:, None] * one[:, :, None] + angle.sin()[:, None] * two[:, :, None]
    return (path[:, :, None] + radius[:, None, None, None] * ring).flatten(1, 2)


def glasses_mesh(glasses: Glasses, eyes: Tensor, breadth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The spectacles of each person, in the unturned head.

    Args:
        glasses: of the batch.
        eyes: (B, 2, 3) centres of left and right eyeball.
        breadth: (B,) half of the head's breadth at the temples, metres.

    Returns:
        vertices (B, N, 3), triangles of the frame (F, 3) and of the lenses (G, 3).
    """
    size = (eyes[:, 0, 0] - eyes[:, 1, 0]) / 0.0582
    angle = torch.arange(_RIM, device=eyes.device) * (2 * np.pi / _RIM)
    power = (2 / glasses.square)[:, None]
    c, s = angle.cos()[None], angle.sin()[None]
    x = c.sign() * c.abs() ** power * (glasses.wide * size)[:, None]
    y = s.sign() * s.abs() ** power * (glasses.tall * size)[:, None]
    middle = eyes.mean(1)
    rims, paths = [], []
    z0 = middle[:, 2] + glasses.forward * size
    for side in (1.0, -1.0):
        centre = (eyes[:, 0, 0] - eyes[:, 1, 0]) / 2 + 0.002
        px = middle[:, :1] + side * centre[:, None] + x
        py = middle[:, 1:2] + glasses.lift[:, None] + y
        bend = 1.6 * (px - middle[:, :1]) ** 2  # lenses follow the face
        path = torch.stack([px, py, z0[:, None] - bend - 0.08 * y], -1)
        rims.append(path)
        paths.append(_tube(path, glasses.tube, True))
    inner = [r[:, int(np.round(_RIM / 2)) % _RIM] if k == 0 else r[:, 0] for k, r in enumerate(rims)]
    # Left rim's inner side is at angle pi, the right one's at 0; both lie towards the nose.
    step = torch.linspace(0, 1, _BAR, device=eyes.device)[None, :, None]
    bridge = inner[0][:, None] * (1 - step) + inner[1][:, None] * step
    arch = 4 * step * (1 - step) * torch.tensor([0.0, 0.004, 0.002], device=eyes.device)
    paths.append(_tube(bridge + arch + torch.tensor([0.0, 0.003, 0.0], device=eyes.device), glasses.tube, False))
    for k, side in ((0, 1.0), (1, -1.0)):
        outer = rims[k][:, 0] if k == 0 else rims[k][:, _RIM // 2]
        end = torch.stack([side * breadth, middle[:, 1] + 0.004, middle[:, 2] - 0.085 * size], 1)
        bow = 4 * step * (1 - step) * torch.tensor([side * 0.006, 0.0, 0.0], device=eyes.device)
        start = outer + torch.tensor([0.0, 0.004, 0.0], device=eyes.device)
        paths.append(_tube(start[:, None] * (1 - step) + end[:, None] * step + bow, glasses.tube * 1.2, False))
    lenses = [torch.cat([r, r.mean(1, keepdim=True)], 1) for r in rims]
    frame, lens = (torch.as_tensor(t, device=eyes.device) for t in _topology())
    return torch.cat([*paths, *lenses], 1), frame, lens


def held_things(
    dice: Dice, count: int, size: int, around: Tensor, radius: Tensor, skin: Tensor, chance: float = 0.08
) -> tuple[Tensor, Tensor]:
    """Hands, cups, phones and paper somewhere over the face.

    Args:
        dice: random numbers.
        count, size: pictures and their pixels.
        around: (B, 2) middle of the face in pixels; radius: (B,) half its size.
        skin: (B, 3) linear light of the person's skin, for hands.
        chance: share of pictures with something held.

    Returns:
        colour (B, 3, S, S) and alpha (B, 1, S, S), 0 where nothing is.
    """
    rows = dice.coin(chance, count).nonzero()[:, 0]
    colour = torch.zeros(count, 3, size, size, device=dice.device)
    alpha = torch.zeros(count, 1, size, size, device=dice.device)
    if len(rows):
        colour[rows], alpha[rows] = _held(dice, len(rows), size, around[rows], radius[rows], skin[rows])
    return colour, alpha


def _held(dice: Dice, count: int, size: int, around: Tensor, radius: Tensor, skin: Tensor) -> tuple[Tensor, Tensor]:
    """One thing in every picture."""
    device = dice.device
    row, column = torch.meshgrid(*(torch.arange(size, device=device).float(),) * 2, indexing="ij")
    turn = dice.uniform(0, 2 * np.pi, count)
    away = dice.uniform(0.45, 1.25, count) * radius
    # Hands and cups come from below more often than from above.
    place = around + torch.stack(
        [away * turn.cos(), away * turn.sin().abs() * torch.where(dice.coin(0.8, count), 1.0, -1.0)], 1
    )
    at = torch.stack([column, row], 0)[None] - place[..., None, None]
    c, s = (
        torch.cos(dice.uniform(-0.9, 0.9, count))[:, None, None],
        torch.sin(dice.uniform(-0.9, 0.9, count))[:, None, None],
    )
    x, y = (c * at[:, 0] + s * at[:, 1]) / radius[:, None, None], (c * at[:, 1] - s * at[:, 0]) / radius[:, None, None]

    # A hand: a palm and four fingers as capsules, shaded round.
    spread, curl = dice.uniform(0.02, 0.10, count, 1), dice.uniform(0.5, 1.0, count, 4)
    tips = torch.arange(4, device=device) - 1.5
    base_x = tips * 0.15
    tip_x, tip_y = base_x + tips * spread, -0.30 - 0.42 * curl * torch.tensor([0.85, 1.0, 0.95, 0.75], device=device)

    def capsule(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor, r: float) -> Tensor:
        """(B, K, S, S) signed distance over the radius."""
        dx, dy = bx - ax, by - ay
        along = (x[:, None] - ax[..., None, None]) * dx[..., None, None] + (y[:, None] - ay[..., None, None]) * dy[
            ..., None, None
        ]
        along = (along / (dx * dx + dy * dy)[..., None, None]).clamp(0, 1)
        ox = x[:, None] - ax[..., None, None] - along * dx[..., None, None]
        oy = y[:, None] - ay[..., None, None] - along * dy[..., None, None]
        return (ox * ox + oy * oy).sqrt() / r

    zero = torch.zeros(count, 4, device=device)
    fingers = capsule(base_x + zero, zero - 0.2, tip_x, tip_y, 0.092)
    palm = capsule(zero[:, :1], zero[:, :1], zero[:, :1], zero[:, :1] + 0.9, 0.38)
    hand = torch.cat([fingers, palm], 1).amin(1)
    round_ = (1 - hand.clamp(0, 1) ** 2).sqrt()
    gap = torch.cat([fingers, palm], 1).sort(1).values
    crease = 1 - 0.35 * torch.exp(-(((gap[:, 1] - gap[:, 0]) / 0.12) ** 2)) * (hand < 1)
    hand_colour = (skin * dice.uniform(0.75, 1.15, count, 1))[..., None, None] * ((0.35 + 0.65 * round_) * crease)[
        :, None
    ]

    wide, tall = dice.uniform(0.25, 0.6, count, 1, 1), dice.uniform(0.3, 0.9, count, 1, 1)
    corner = dice.uniform(0.02, 0.2, count, 1, 1)
    qx, qy = (x.abs() - wide + corner).clamp_min(0), (y.abs() - tall + corner).clamp_min(0)
    box = (qx * qx + qy * qy).sqrt() / corner
    paint = dice.uniform(0.0, 0.7, count, 1) * (1 + 0.4 * dice.normal(count, 3)).clamp(0.1, 2)
    print_ = interpolate(dice.normal(count, 3, 7, 7), size=size, mode="nearest") * dice.uniform(0, 0.5, count, 1, 1, 1)
    ramp = 1 - dice.uniform(0, 0.6, count, 1, 1) * (x / wide).abs() ** 2
    box_colour = (paint[..., None, None] * (1 + print_) * ramp[:, None]).clamp(0, 1)

    is_hand = dice.coin(0.5, count)[:, None, None]
    inside = torch.where(is_hand, hand, box)
    soft = (0.09 * radius)[:, None, None].clamp_min(1.0)
    alpha = ((1 - inside) * soft + 0.5).clamp(0, 1)
    colour = torch.where(is_hand[:, None], hand_colour, box_colour)
    return colour, alpha[:, None]
