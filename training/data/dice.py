# SPDX-License-Identifier: Apache-2.0
"""Random numbers of one batch, on the device that draws the pictures, from one seed."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Dice"]


class Dice:
    """All randomness of a batch: the same seed and device give the same numbers.

    Args:
        seed: whole number.
        device: where tensors are made.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.generator = torch.Generator(device=self.device)
        self.generator.manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Evenly between two numbers, float32."""
        return low + (high - low) * torch.rand(shape, device=self.device, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        """Mean 0, standard deviation 1."""
        return torch.randn(shape, device=self.device, generator=self.generator)

    def coin(self, chance: float, *shape: int) -> Tensor:
        """Bool, True with a chance."""
        return torch.rand(shape, device=self.device, generator=self.generator) < chance

    def pick(self, count: int, *shape: int) -> Tensor:
        """int64 below ``count``."""
        return torch.randint(count, shape, device=self.device, generator=self.generator)
