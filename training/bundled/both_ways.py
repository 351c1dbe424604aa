# SPDX-License-Identifier: Apache-2.0
"""A face and its mirror image, answered together: the mean of what a network says of both.

A network's errors on the two are far from the same, so their mean is better than either, for twice the time.
Dense points are no mirror images of each other and are left as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smirk_core.encoder.extras import REGIONS

from ..data.mirror import Mirror
from .answers import FACE_GROUPS, GROUPS, Answers

__all__ = ["BothWays", "mirrored_rows"]


def mirrored_rows(answers: Answers) -> tuple[Tensor, Tensor, Tensor]:
    """Which row (A,) of the mirror image's answer stands for each row, its sign (A,), and for which (A,) one does."""
    mirror = Mirror.of(answers.model)
    order, sign = torch.arange(answers.size), torch.ones(answers.size)
    known = torch.zeros(answers.size, dtype=torch.bool)
    # Numbers from 1 on, mirrored, say themselves from where they came and with which sign.
    numbered = {n: torch.arange(1.0, p.stop - p.start + 1)[None] for n, p in answers.parts.items() if n in GROUPS}
    moved = {n: v[0] for n, v in mirror.truth(numbered).items()}
    sizes = [len(moved[n]) for n in FACE_GROUPS]
    before = [sum(sizes[:k]) for k in range(len(sizes))]
    moved["face_sigma"] = torch.cat([moved[n].abs() + b for n, b in zip(FACE_GROUPS, before, strict=True)])
    swapped = {"left eye": "right eye", "right eye": "left eye"}
    moved["visibility"] = torch.tensor([1.0 + REGIONS.index(swapped.get(n, n)) for n in REGIONS])
    for name, values in moved.items():
        part = answers.parts[name]
        order[part.columns] = part.start + values.abs().long() - 1
        sign[part.columns] = values.sign()
        known[part.columns] = True
    return order, sign, known


class BothWays(nn.Module):
    """(B, 3, S, S) to answers (B, A), as the network that it asks twice.

    Args:
        network: that answers.
        answers: their layout.
    """

    def __init__(self, network: nn.Module, answers: Answers) -> None:
        super().__init__()
        self.network = network
        self.order, self.sign, known = mirrored_rows(answers)
        self.share = torch.where(known, 0.5, 0.0)
        mean = answers.mean / answers.scale
        self.offset = self.sign * mean[self.order] - mean  # answers are counted from their mean

    def forward(self, images: Tensor) -> Tensor:
        seen = self.network(images)
        other = self.network(images.flip(-1))[:, self.order] * self.sign + self.offset
        return torch.lerp(seen, other, self.share)
