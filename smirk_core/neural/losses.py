# SPDX-License-Identifier: Apache-2.0
"""What tells the encoder and the generator how wrong they are; every term can be switched off by a weight of 0.

Pictures are (B, 3, H, W) in [0, 1], landmarks (B, L, 2) in crop coordinates. Each function returns a scalar, the mean
over the batch. Source: specification, section 7.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["PictureLoss", "cycle_loss", "identity_loss", "landmark_loss", "regularisers", "structure_loss", "total"]


class PictureLoss(Protocol):
    """How unlike two batches of pictures are."""

    def __call__(self, made: Tensor, wanted: Tensor) -> Tensor: ...


def landmark_loss(found: Tensor, wanted: Tensor, trust: Tensor | None = None) -> Tensor:
    """Mean squared distance per coordinate.

    Args:
        found, wanted: (B, L, 2).
        trust: (B,) or (B, L) weights, such as 0 for faces without landmarks; 0 in all where nothing is trusted.
    """
    square = (found - wanted).square().mean(-1)
    if trust is None:
        return square.mean()
    share = trust.to(square.dtype)
    share = share[:, None].expand_as(square) if share.ndim == 1 else share
    return (square * share).sum() / share.sum().clamp_min(1e-6)


def identity_loss(found: Tensor, wanted: Tensor, trust: Tensor | None = None) -> Tensor:
    """Mean squared difference of identity coefficients, the first ones where one side has fewer.

    Args:
        found, wanted: (B, K).
        trust: (B,) 0 for faces whose identity is not known.
    """
    width = min(found.shape[1], wanted.shape[1])
    return landmark_loss(found[:, None, :width], wanted[:, None, :width], trust)


def regularisers(groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean squares of the groups that should stay small."""
    names = [n for n in ("expression", "jaw", "identity") if n in groups]
    return {f"{n}_regulariser": groups[n].square().mean() for n in names}


def cycle_loss(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], *, identity: bool) -> dict[str, Tensor]:
    """How well the encoder finds an expression again: mean squares, tenfold for jaw and lids.

    ``identity``: also that the face stayed whose it was; meant for the generator's turns.
    """
    terms = {
        "cycle_expression": F.mse_loss(found["expression"], wanted["expression"]),
        "cycle_jaw": 10 * F.mse_loss(found["jaw"], wanted["jaw"]),
    }
    if "eyelids" in wanted:
        terms["cycle_eyelids"] = 10 * F.mse_loss(found["eyelids"], wanted["eyelids"])
    if identity:
        terms["cycle_identity"] = F.mse_loss(found["identity"], wanted["identity"])
    return terms


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) per pixel in windows of 7 x 7, for pictures in [0, 1]."""

    def local(x: Tensor) -> Tensor:
        return F.avg_pool2d(F.avg_pool2d(x, (7, 1), stride=1), (1, 7), stride=1)  # one after the other: a third of it

    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    both = local(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
    return light * (2 * both + 9e-4) / (var_a + var_b + 9e-4)


def structure_loss(made: Tensor, wanted: Tensor, scales: int = 3) -> Tensor:
    """Stands in for a perceptual loss where no VGG weights are at hand; it needs none.

    Over ``scales`` octaves: 1 - structural similarity, plus the mean difference of picture gradients, which sees the
    edges of lips and lids that a plain difference takes lightly.
    """
    made, wanted = made.float(), wanted.float()
    loss = made.new_zeros(())
    for scale in range(scales):
        if scale:
            made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
        if min(made.shape[-2:]) < 8:
            break
        loss = loss + (1 - _similarity(made, wanted)).mean()
        for axis in (-1, -2):
            loss = loss + (made.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean()
    return loss


def total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Weighted sum of the terms that have a weight; a term without one is only watched."""
    used = [weights[name] * value for name, value in terms.items() if weights.get(name, 0.0) > 0]
    if not used:
        return torch.zeros(())
    return torch.stack([u.float() for u in used]).sum()
