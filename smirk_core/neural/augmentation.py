# SPDX-License-Identifier: Apache-2.0
"""New expressions for the cycle path: four ways to change what the encoder saw, in each head's own vocabulary.

A quarter of the batch each, drawn anew every time: random, borrowed from another face, from a library, none at all.
Identity, pose and camera stay. Source: SMIRK (Retsinas et al. 2024), section 3.3; specification, section 7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from ..heads.head_model import HeadModel

__all__ = ["GROUPS", "ArkitAugmentation", "Augmentation", "FlameAugmentation", "mirror_pairs", "quarters"]

Groups = Mapping[str, Tensor]
GROUPS = ("random", "borrowed", "library", "none")


class Augmentation(Protocol):
    """Changes the expressions of a batch."""

    def __call__(self, groups: Groups, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Groups (B, size) as the encoder gave them to new ones, detached; all but expression, jaw and eyelids as
        they were."""
        ...


class _Dice:
    """Random numbers of one batch, on its device."""

    def __init__(self, like: Tensor, generator: torch.Generator | None) -> None:
        self._like, self._generator = like, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Evenly between two numbers."""
        like = self._like
        return low + (high - low) * torch.rand(shape, device=like.device, dtype=like.dtype, generator=self._generator)

    def normal(self, *shape: int) -> Tensor:
        """Mean 0, standard deviation 1."""
        return torch.randn(shape, device=self._like.device, dtype=self._like.dtype, generator=self._generator)

    def coin(self, chance: float, *shape: int) -> Tensor:
        """Bool, True with a chance."""
        return self.uniform(0, 1, *shape) < chance

    def shuffled(self, count: int) -> Tensor:
        """The numbers below ``count`` in random order."""
        return torch.randperm(count, device=self._like.device, generator=self._generator)

    def choice(self, count: int, size: int) -> Tensor:
        """``size`` numbers below ``count``."""
        return torch.randint(count, (size,), device=self._like.device, generator=self._generator)


def quarters(count: int, generator: torch.Generator | None = None, device: torch.device | None = None) -> list[Tensor]:
    """Four random groups of a batch, together every number below ``count`` once; sizes differ by one at most."""
    order = torch.randperm(count, generator=generator, device=device)
    ends = [count * k // 4 for k in range(5)]
    return [order[a:b] for a, b in pairwise(ends)]


@dataclass(frozen=True)
class FlameAugmentation:
    """The original's numbers, for FLAME's principal components.

    Attributes:
        templates: (T, E) library of expressions; without one that quarter borrows from others too.
        eyelids: whether lids are changed.
    """

    templates: Tensor | None = None
    eyelids: bool = True

    def __call__(self, groups: Groups, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """See :class:`Augmentation`."""
        out = {k: v.detach().clone() for k, v in groups.items()}
        expression, jaw = out["expression"], out["jaw"]
        batch, size = expression.shape
        dice = _Dice(expression, generator)
        random, borrowed, library, none = quarters(batch, generator, expression.device)

        def noise(rows: Tensor) -> Tensor:
            return dice.uniform(0, 0.2, len(rows), 1) * dice.normal(len(rows), size)

        new = expression.clone()
        mask = dice.coin(0.5, len(random), size)
        step = mask * dice.normal(len(random), size) * dice.uniform(1, 3, len(random), 1)
        new[random] = (expression[random] + step).clamp(-4, 4) + noise(random)
        if self.templates is None:
            borrowed, library = torch.cat([borrowed, library]), library[:0]
        other = borrowed[dice.shuffled(len(borrowed))]
        new[borrowed] = dice.uniform(0.25, 1.5, len(borrowed), 1) * expression[other] + noise(borrowed)
        if self.templates is not None and len(library):
            template = self.templates.to(new)[dice.choice(len(self.templates), len(library)), :size]
            new[library] = dice.uniform(0.25, 1.5, len(library), 1) * template + noise(library)
        new[none] = noise(none)

        turn = dice.coin(0.5, batch, 1) * dice.normal(batch, 3) * 0.2 * jaw.new_tensor([1.0, 0.1, 0.1])
        jaw = jaw + turn
        jaw = torch.cat([jaw[:, :1].clamp(0, 0.5), jaw[:, 1:]], dim=1)
        jaw[none] = 0
        out |= {"expression": new, "jaw": jaw}
        if self.eyelids and "eyelids" in out:
            lids = (out["eyelids"] + dice.uniform(-0.25, 0.25, batch, 2)).clamp(0, 1)
            lids[none] = dice.uniform(0, 1, len(none), 2)
            out["eyelids"] = lids
        return out


def mirror_pairs(names: tuple[str, ...]) -> list[int]:
    """For each name the place of its other side: ``smileLeft`` and ``smileRight``; its own where it has none."""
    place = {n: i for i, n in enumerate(names)}
    swap = {"Left": "Right", "Right": "Left"}
    other = [next((n[: -len(s)] + swap[s] for s in swap if n.endswith(s)), n) for n in names]
    return [place.get(o, i) for i, o in enumerate(other)]


@dataclass(frozen=True)
class ArkitAugmentation:
    """The same four ideas for bounded weights with names: sparse, often extreme, often on one side only.

    Attributes:
        names: of the expressions.
        opening, sideways: radians of jaw rotation at the ARKit weights jawOpen 1 and jawLeft 1.
        library: named expressions as groups ``expression`` (T, E), ``jaw`` (T, 3), ``eyelids`` (T, 2), or None.
        active: share of the weights that move in the random quarter.
        extreme: share of those that stand near 1.
        lopsided: chance that left and right are drawn apart.
    """

    names: tuple[str, ...]
    opening: float
    sideways: float
    library: Mapping[str, Tensor] | None = None
    active: float = 0.2
    extreme: float = 0.25
    lopsided: float = 0.5

    @staticmethod
    def of(model: HeadModel, library: Mapping[str, Tensor] | None = None) -> ArkitAugmentation:
        """For a head whose expressions carry ARKit's names."""
        return ArkitAugmentation(model.expression_names, model.angles["jawOpen"], model.angles["jawLeft"], library)

    def __call__(self, groups: Groups, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """See :class:`Augmentation`."""
        out = {k: v.detach().clone() for k, v in groups.items()}
        expression, jaw, lids = out["expression"], out["jaw"], out["eyelids"]
        batch, size = expression.shape
        dice = _Dice(expression, generator)
        random, borrowed, library, none = quarters(batch, generator, expression.device)

        new, jaw, lids = expression.clone(), jaw.clone(), lids.clone()
        new[random] = self._random(expression[random], dice)
        if self.library is None:
            borrowed, library = torch.cat([borrowed, library]), library[:0]
        other = borrowed[dice.shuffled(len(borrowed))]
        new[borrowed] = dice.uniform(0.25, 1.5, len(borrowed), 1) * expression[other]
        new[none] = 0.0

        # One side may move alone: half of the faces get a jaw and lids of their own, apart from what they had.
        turn = dice.normal(batch, 2) * jaw.new_tensor([0.5 * self.opening, 0.4 * self.sideways])
        jaw[:, :2] += dice.coin(0.5, batch, 1) * turn
        lids += dice.uniform(-0.25, 0.25, batch, 2)
        wink = dice.coin(0.15, batch, 2)
        lids = torch.where(wink, dice.uniform(0, 1.2, batch, 2), lids)
        if self.library is not None and len(library):
            pick = dice.choice(len(self.library["expression"]), len(library))
            gain = dice.uniform(0.25, 1.5, len(library), 1)
            new[library] = gain * self.library["expression"].to(new)[pick]
            jaw[library] = gain * self.library["jaw"].to(jaw)[pick]
            lids[library] = gain * self.library["eyelids"].to(lids)[pick]
        tremor = dice.uniform(0, 0.08, batch, 1) * dice.normal(batch, size).abs() * dice.coin(0.3, batch, size)
        new = (new + tremor).clamp(0, 1)
        jaw[none] = 0
        lids[none] = dice.uniform(0, 1, len(none), 2)
        jaw[:, 0].clamp_(0, 1.1 * self.opening)
        jaw[:, 1].clamp_(-1.1 * self.sideways, 1.1 * self.sideways)
        if "mouthClose" in self.names:  # lips can close no more than the jaw is open
            column = self.names.index("mouthClose")
            new[:, column] = torch.minimum(new[:, column], (jaw[:, 0] / self.opening).clamp(0, 1))
        out |= {"expression": new, "jaw": jaw, "eyelids": lids.clamp(0, 1)}
        return out

    def _random(self, before: Tensor, dice: _Dice) -> Tensor:
        """A few weights anew, the others as they were or at rest."""
        count, size = before.shape
        pair = torch.tensor(mirror_pairs(self.names), device=before.device)
        value = dice.uniform(0, 1, count, size)
        value = torch.where(dice.coin(self.extreme, count, size), 0.8 + 0.2 * value, value)
        moved = dice.coin(self.active, count, size)
        # Where a face is to be even, each side takes what the pair's first one drew.
        first = torch.minimum(pair, torch.arange(size, device=before.device))
        even = ~dice.coin(self.lopsided, count, 1)
        value = torch.where(even, value[:, first], value)
        moved = torch.where(even, moved[:, first], moved)
        kept = before * dice.coin(0.5, count, 1)
        return torch.where(moved, value, kept)
