# SPDX-License-Identifier: Apache-2.0
"""Light on surfaces in torch: spherical harmonics, point lamps, and highlights, batched and differentiable.

Directions and places are in the camera frame: +x right in the picture, +y up, +z towards the viewer; metres. Light is
linear; :func:`encode` turns it into sRGB. Sources: Ramamoorthi & Hanrahan 2001 (irradiance by nine coefficients),
Blinn 1977 (half vector), Schlick 1994 (Fresnel term).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["decode_srgb", "encode", "harmonics", "irradiance", "lambert", "phong", "project_light"]

_C = (
    0.5 / math.sqrt(math.pi), math.sqrt(3 / (4 * math.pi)), math.sqrt(15 / (4 * math.pi)),
    math.sqrt(5 / (16 * math.pi)), math.sqrt(15 / (16 * math.pi)),
)  # fmt: skip
# Share of each band of radiance that is left in irradiance, over pi: a white sky of radiance 1 gives irradiance 1.
_BANDS = (1.0, *(2 / 3,) * 3, *(1 / 4,) * 5)


def harmonics(directions: Tensor) -> Tensor:
    """(..., 3) unit vectors to (..., 9) real spherical harmonics, order 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2.

    The direction (0, 0, 1) gives .2821, 0, .4886, 0, 0, 0, .6308, 0, 0.
    """
    import torch

    x, y, z = directions.unbind(-1)
    one = torch.full_like(x, _C[0])
    return torch.stack(
        [one, _C[1] * y, _C[1] * z, _C[1] * x, _C[2] * x * y, _C[2] * y * z, _C[3] * (3 * z * z - 1), _C[2] * x * z,
         _C[4] * (x * x - y * y)], dim=-1,
    )  # fmt: skip


def project_light(directions: Tensor, radiance: Tensor) -> Tensor:
    """(B, L, 3) directions and (B, L, 3) colours of far lamps to (B, 9, 3) coefficients.

    A lamp of colour c gives a surface that faces it an irradiance near c (the nine coefficients blur it; 17/16 c).
    """
    import torch

    return torch.einsum("bln,blc->bnc", harmonics(directions), radiance) * math.pi


def irradiance(normals: Tensor, coefficients: Tensor) -> Tensor:
    """(B, N, 3) unit normals and (B, 9, 3) coefficients of radiance to (B, N, 3) light on them, not below 0."""
    bands = normals.new_tensor(_BANDS)
    return (harmonics(normals) @ (coefficients * bands[:, None])).clamp_min(0)


def lambert(
    points: Tensor, normals: Tensor, places: Tensor, colours: Tensor, wrap: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Diffuse light of point lamps.

    Args:
        points, normals: (B, N, 3) of the surface.
        places: (B, L, 3) of the lamps.
        colours: (B, L, 3) light that a surface facing the lamp receives at the lamp's distance from the origin.
        wrap: (B, 3) how far light reaches past the terminator, by channel: skin lets red through.

    Returns:
        light (B, N, L, 3), and unit directions towards the lamps (B, N, L, 3).
    """
    ray = places[:, None] - points[:, :, None]
    square = (ray * ray).sum(-1, keepdim=True).clamp_min(1e-8)
    towards = ray * square.rsqrt()
    falloff = (places * places).sum(-1)[:, None, :, None] / square
    facing = (towards * normals[:, :, None]).sum(-1, keepdim=True)
    if wrap is None:
        light = facing.clamp_min(0)
    else:
        soft = wrap[:, None, None]
        light = ((facing + soft) / (1 + soft)).clamp_min(0)
    return light * falloff * colours[:, None], towards


def phong(normals: Tensor, towards: Tensor, sharpness: float, view: tuple[float, float, float] = (0, 0, 1)) -> Tensor:
    """(B, N, 3) normals and (B, N, L, 3) directions to lamps to (B, N, L) highlights, 1 at the mirror direction.

    Includes Schlick's Fresnel term over its value at right angles, so that highlights grow at grazing angles.
    """
    import torch

    eye = normals.new_tensor(view)
    half = torch.nn.functional.normalize(towards + eye, dim=-1)
    shine = (half * normals[:, :, None]).sum(-1).clamp_min(0) ** sharpness
    grazing = (1 - (half * eye).sum(-1).clamp(0, 1)) ** 5
    return shine * (1 + (1 / 0.028 - 1) * grazing)


def encode(light: Tensor) -> Tensor:
    """Linear light to sRGB in [0, 1]: straight up to 0.6, then a soft shoulder instead of clipping."""
    import torch

    x = torch.where(light < 0.6, light, 0.6 + 0.4 * (1 - torch.exp(-(light - 0.6).clamp_min(0) / 0.4))).clamp(0, 1)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp_min(1e-6) ** (1 / 2.4) - 0.055)


def decode_srgb(colour: Tensor) -> Tensor:
    """sRGB in [0, 1] to linear light."""
    import torch

    return torch.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055).clamp_min(0) ** 2.4)
