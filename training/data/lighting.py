# SPDX-License-Identifier: Apache-2.0
"""Random light: sky, ground and soft lamps as spherical harmonics, one near lamp that throws shadows and highlights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from smirk_core.rendering.lit_shading import irradiance, lambert, phong, project_light
from smirk_core.rendering.rasterizer import rasterize

from .dice import Dice

__all__ = ["Lights", "key_shadow", "light_surface", "sample_lights"]


@dataclass(frozen=True)
class Lights:
    """Light of a batch.

    Attributes:
        sky: (B, 9, 3) harmonics of everything far and soft.
        place: (B, 1, 3) metres from between the eyes to the key lamp; colour: (B, 1, 3) its light.
        wrap: (B, 3) how far it reaches past the terminator in skin.
        hard: (B,) 0 to 1, how dark the key's shadows are.
    """

    sky: Tensor
    place: Tensor
    colour: Tensor
    wrap: Tensor
    hard: Tensor


def sample_lights(dice: Dice, count: int) -> Lights:
    """Rooms, windows, streets: mostly from above and in front, sometimes dim, coloured or from one side only."""
    azimuth = dice.normal(count) * 0.8
    height = dice.uniform(-0.15, 1.0, count)
    towards = torch.stack([azimuth.sin() * height.cos(), height.sin(), azimuth.cos().abs() * height.cos() + 0.2], 1)
    distance = 0.6 * 6 ** dice.uniform(0, 1, count)
    warmth = 0.08 * dice.normal(count, 1) * torch.tensor([[1.0, 0.0, -1.0]], device=dice.device)
    coloured = dice.coin(0.06, count, 1) * 0.18 * dice.normal(count, 3)
    key = dice.uniform(0.35, 1.0, count, 1) * (1 + warmth + coloured).clamp_min(0.2)
    level = dice.uniform(0.08, 0.45, count, 1)
    sky = level * (1 + 0.06 * dice.normal(count, 3))
    ground = sky * dice.uniform(0.35, 0.85, count, 1) * (1 + 0.08 * dice.normal(count, 3))
    fill = dice.uniform(0.03, 0.35, count, 1) * (1 - warmth)
    rim = dice.uniform(0.0, 0.7, count, 1) * dice.coin(0.4, count, 1) * (1 + 0.15 * dice.normal(count, 3))
    side = torch.where(azimuth > 0, -1.0, 1.0)
    one = torch.ones(count, device=dice.device)
    directions = torch.stack(
        [
            torch.stack([0 * one, one, 0.3 * one], 1), torch.stack([0 * one, -one, 0.2 * one], 1),
            torch.stack([0.9 * side, dice.uniform(-0.3, 0.4, count), 0.5 * one], 1),
            torch.stack([side * dice.uniform(0.5, 1.0, count), 0.4 * one, -0.8 * one], 1),
        ],
        dim=1,
    )  # fmt: skip
    radiance = torch.stack([0.75 * sky, 0.7 * ground, fill, rim], 1)
    coefficients = project_light(normalize(directions, dim=-1), radiance)
    # What comes from everywhere: a white room lights each surface alike.
    coefficients[:, 0] += 0.35 * level / 0.2821
    wrap = dice.uniform(0.2, 0.5, count, 1) * torch.tensor([[1.0, 0.55, 0.4]], device=dice.device)
    place = normalize(towards, dim=-1) * distance[:, None]
    return Lights(coefficients, place[:, None], key[:, None], wrap, dice.uniform(0.5, 1.0, count))


def key_shadow(vertices: Tensor, triangles: Tensor, place: Tensor, size: int = 96, bias: float = 3.0) -> Tensor:
    """(B, V) how much of a lamp at ``place`` (B, 1, 3) each vertex sees, 1 lit, 0 in shadow, soft over 3 x 3 texels."""
    forward = normalize(place[:, 0], dim=-1)
    up = vertices.new_tensor([0.0, 1.0, 0.0]).expand_as(forward)
    up = torch.where(forward[:, 1:2].abs() < 0.95, up, vertices.new_tensor([0.0, 0.0, -1.0]))
    right = normalize(torch.linalg.cross(up, forward), dim=-1)
    turned = vertices @ torch.stack([right, torch.linalg.cross(forward, right), forward], 2)
    low, high = turned.amin(1, keepdim=True), turned.amax(1, keepdim=True)
    scale = (size - 3) / (high - low)[..., :2].amax(-1, keepdim=True)
    u, v = 1 + (turned - low)[..., 0:1] * scale, 1 + (high - turned)[..., 1:2] * scale
    points = torch.cat([u, v, (high - turned)[..., 2:] * scale], -1)
    found = rasterize(points, triangles, size, size)
    depth = torch.where(found.covered, found.depth, torch.inf).reshape(len(vertices), -1)
    column, row = (points[..., i].round().long().clamp(1, size - 2) for i in (0, 1))
    lit = torch.zeros_like(points[..., 0])
    for dv in (-1, 0, 1):
        for du in (-1, 0, 1):
            lit += depth.gather(1, (row + dv) * size + column + du) > points[..., 2] - bias
    return lit / 9


def light_surface(
    points: Tensor, normals: Tensor, lights: Lights, open_sky: Tensor, lit: Tensor | None, *, shiny: bool = True
) -> tuple[Tensor, Tensor]:
    """Light on skin.

    Args:
        points: (B, N, 3) from between the eyes; normals: (B, N, 3).
        lights: of the batch.
        open_sky: (N,) or (B, N) how much of the surroundings each point sees.
        lit: (B, N) of :func:`key_shadow`, or None.
        shiny: False leaves the highlights out, as 0.

    Returns:
        diffuse (B, N, 3) and highlights (B, N, 3) per unit of gloss.
    """
    shade = open_sky if open_sky.ndim == 2 else open_sky[None]
    tint = shade[..., None] ** points.new_tensor([0.8, 1.0, 1.08])  # crevices glow red rather than going grey
    diffuse = irradiance(normals, lights.sky) * tint
    key, towards = lambert(points, normals, lights.place, lights.colour, lights.wrap)
    key, towards = key[:, :, 0], towards
    if lit is not None:
        key = key * (1 - lights.hard[:, None] * (1 - lit))[..., None]
    diffuse = (diffuse + key) * (0.35 + 0.65 * shade)[..., None]
    if not shiny:
        return diffuse, torch.zeros_like(diffuse)
    shine = 0.7 * phong(normals, towards, 12.0) + 0.9 * phong(normals, towards, 48.0)
    if lit is not None:
        shine = shine * lit[..., None]
    grazing = (1 - normals[..., 2].clamp(0, 1)) ** 4
    gloss = (shine.clamp_max(4) * lights.colour + 0.6 * grazing[..., None]) * shade[..., None]
    return diffuse, gloss
