# SPDX-License-Identifier: Apache-2.0
"""The plainest faces there are: the grey render of the head itself, tinted, on a ground of one colour ramp.

No skin, no hair, no eyes: enough for tests, and to see whether a network learns at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.neural.augmentation import ArkitAugmentation
from smirk_core.neural.face_model import FaceModel
from smirk_core.neural.masking import hull_mask
from smirk_core.neural.paths import Batch

from .source import Request

__all__ = ["plain", "plain_batch", "random_groups"]

_LANDMARKS = ("mediapipe_478", "mediapipe_105", "ibug_68")
_CAMERA = (7.0, 0.0, -0.02)  # (scale, tx, ty) of a crop that holds the face


@lru_cache(maxsize=2)
def _face(head: str, size: int, device: str) -> FaceModel:
    return FaceModel(load_head(head), size, landmarks=_LANDMARKS).to(device)


def random_groups(
    model: HeadModel, count: int, random: torch.Generator, device: torch.device | str = "cpu"
) -> dict[str, Tensor]:
    """Parameter groups of ``count`` faces: identities, sparse and often lopsided expressions, heads turned a little."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=random, device=device)

    bounded = model.expression_range[0] == 0.0
    rest = {
        "expression": torch.zeros(count, model.expression_size, device=device),
        "jaw": torch.zeros(count, 3, device=device),
        "eyelids": torch.zeros(count, 2, device=device),
        "identity": 0.7 * normal(model.identity_size),
    }
    if bounded:
        groups = ArkitAugmentation.of(model, None)(rest, random)
    else:
        few = torch.rand(rest["expression"].shape, generator=random, device=device) < 0.3
        lids = torch.rand(count, 2, generator=random, device=device)
        groups = rest | {"expression": 1.5 * few * normal(model.expression_size), "eyelids": lids}
    opening = torch.rand(count, 1, generator=random, device=device) ** 2 * 0.35
    side = 0.05 * normal(1)
    groups["jaw"] = torch.cat([opening, side.clamp(-0.11, 0.11), torch.zeros_like(side)], dim=1)
    groups["rotation"] = normal(3) * torch.tensor([0.15, 0.3, 0.08], device=device)
    camera = torch.tensor(_CAMERA, device=device) + normal(3) * torch.tensor([0.4, 0.006, 0.006], device=device)
    return groups | {"camera": camera}


def plain_batch(
    face: FaceModel,
    count: int,
    random: torch.Generator,
    device: torch.device | str = "cpu",
    groups: dict[str, Tensor] | None = None,
) -> Batch:
    """``count`` faces of the head of ``face``, with truth, hulls and landmarks; ``groups`` where they are given."""
    groups = groups or random_groups(face.model, count, random, device)
    with torch.no_grad():
        mesh = face.mesh(groups)
        drawn = face.render(mesh, groups["camera"])
    size = drawn.image.shape[-1]
    skin = 0.7 + 0.5 * torch.rand(count, 3, 1, 1, generator=random, device=device)
    low, high = torch.rand(2, count, 3, 1, 1, generator=random, device=device).unbind(0)
    ramp = torch.linspace(0, 1, size, device=device)[:, None]
    ground = (low + (high - low) * ramp).expand(-1, -1, -1, size)
    image = torch.where(drawn.mask, (drawn.image * skin).clamp(0, 1), ground)
    points = mesh.landmarks["mediapipe_478"] if "mediapipe_478" in mesh.landmarks else mesh.landmarks["ibug_68"]
    hull = hull_mask((points + 1) * (size / 2) - 0.5, size, size)
    return Batch(image, hull, mesh.landmarks, {}, groups)


def plain(request: Request, *, batches: int = 0) -> Iterator[Batch]:
    """Batches without end.

    Args:
        request: see :class:`training.data.source.Request`.
        batches: 0 for always new faces; else the same so many batches again and again.
    """
    face = _face(request.head, request.size, request.device)
    number = request.start
    while True:
        random = torch.Generator(request.device).manual_seed(request.seed_of(number % batches if batches else number))
        yield plain_batch(face, request.batch, random, request.device)
        number += 1
