# SPDX-License-Identifier: Apache-2.0
"""Head turns, SMIRK's crop around the landmarks, and the truth of a drawn face as a training batch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from smirk_core.heads.decode import landmark_points
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import quaternion_from_rotvec
from smirk_core.neural.masking import hull_mask, seen
from smirk_core.neural.mesh_render import project_crop
from smirk_core.neural.paths import Batch
from smirk_core.rendering.rasterizer import Fragments, pixels_from_crop

from .dice import Dice

__all__ = ["LANDMARKS", "batch_of", "composed", "crop_camera", "head_turns"]

LANDMARKS = ("mediapipe_478", "mediapipe_105", "ibug_68")
_CENTRED = "mediapipe_478"
_SCALE = 1.4  # of the crop over the landmarks' box, as SMIRK's


def head_turns(dice: Dice, count: int, yaw: float = 60.0, pitch: float = 30.0, roll: float = 8.0) -> Tensor:
    """(count, 3) rotation vectors: most near the front, a third anywhere within +-yaw degrees."""
    y = torch.where(dice.coin(0.35, count), dice.uniform(-yaw, yaw, count), 0.25 * yaw * dice.normal(count))
    p = 0.35 * pitch * dice.normal(count)
    angles = torch.stack([p.clamp(-pitch, pitch), y.clamp(-yaw, yaw), roll * dice.normal(count)], 1) * (math.pi / 180)
    axes = torch.eye(3, device=dice.device)
    turn = [angles[:, i : i + 1] * axes[i] for i in range(3)]
    return composed(composed(turn[2], turn[0]), turn[1])


def composed(second: Tensor, first: Tensor) -> Tensor:
    """(B, 3) the rotation vector, shorter than pi, of turning by ``first`` and then by ``second``."""
    a, b = quaternion_from_rotvec(second), quaternion_from_rotvec(first)
    w = a[:, :1] * b[:, :1] - (a[:, 1:] * b[:, 1:]).sum(1, keepdim=True)
    v = a[:, :1] * b[:, 1:] + b[:, :1] * a[:, 1:] + torch.linalg.cross(a[:, 1:], b[:, 1:])
    v = torch.where(w < 0, -v, v)
    sine = v.norm(dim=1, keepdim=True)
    return v * torch.where(sine > 1e-7, 2 * torch.atan2(sine, w.abs()) / sine.clamp_min(1e-7), 2.0)


def crop_camera(points: Tensor, dice: Dice, low: float = 1.2, high: float = 1.65, shift: float = 0.05) -> Tensor:
    """(B, 3) crop cameras (scale, tx, ty) that frame posed landmarks (B, L, 3) as SMIRK's crop does, give or take.

    The square is the mean of the box's sides, times ``low`` to ``high``, moved by ``shift`` of it (standard deviation).
    """
    count = len(points)
    top, bottom = points[..., :2].amax(1), points[..., :2].amin(1)
    side = (top - bottom).mean(1) * dice.uniform(low, high, count)
    middle = (top + bottom) / 2 + side[:, None] * shift * dice.normal(count, 2)
    return torch.cat([(2 / side)[:, None], -middle], dim=1)


def batch_of(
    model: HeadModel,
    image: Tensor,
    vertices: Tensor,
    groups: Mapping[str, Tensor],
    fragments: Fragments,
    covered: Tensor | None = None,
) -> Batch:
    """A training batch with everything that is known about drawn faces.

    Args:
        model: the head, in torch.
        image: (B, 3, S, S).
        vertices: (B, V, 3) posed.
        groups: all parameter groups, ``camera`` the crop's.
        fragments: of the head in crop depth; a landmark behind it has no trust.
        covered: (B, S, S) bool, where something else hides the face.
    """
    size, camera = image.shape[-1], groups["camera"]
    landmarks, trust = {}, {}
    hull = torch.zeros(len(image), 1, size, size, dtype=torch.bool, device=image.device)
    for name in LANDMARKS:
        if name not in model.landmarks:
            continue
        points = project_crop(landmark_points(model, vertices, model.landmarks[name]), camera)
        shown = seen(points, fragments)
        pixels = pixels_from_crop(points, size, size)[..., :2]
        if covered is not None:
            at = pixels.round().clamp(0, size - 1).long()
            shown &= ~covered.reshape(len(image), -1).gather(1, at[..., 1] * size + at[..., 0])
        landmarks[name], trust[name] = points[..., :2].contiguous(), shown.float()
        if name == _CENTRED or not hull.any():
            hull = hull_mask(pixels, size, size)
    return Batch(image, hull, landmarks, trust, dict(groups))
