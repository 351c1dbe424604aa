# SPDX-License-Identifier: Apache-2.0
"""Test E: how well can a new neural renderer paint photos from what a frozen encoder sees in them?

A fresh, narrow U-Net learns for a stated number of steps to paint each photo from the render of the encoder's mesh and
the masked photo; then held-out photos are compared. Seeds are fixed, so that figures of two encoders can be set side by
side; with another number of steps, width or other photos they cannot. Source: SMIRK (Retsinas et al. 2024), section
4.1, where the new U-Net learns for five epochs; a structure loss stands in for VGG's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from smirk_core.errors import TrainingError
from smirk_core.neural import losses
from smirk_core.neural.generator import Generator
from smirk_core.neural.paths import Batch, Paths

__all__ = ["resynthesis"]

_SEED = 5


def resynthesis(
    paths: Paths, batches: Sequence[Batch], *, steps: int, width: int = 8, rate: float = 3e-3
) -> dict[str, float]:
    """L1 and structure loss on the last quarter of the batches, after learning on the others.

    Args:
        paths: encoder and head; nothing of them changes.
        batches: at least two, of different faces.
        steps: one batch each, in turn.
        width: of the U-Net's first stage.
        rate: of Adam.

    Raises:
        TrainingError: there is nothing to hold out.
    """
    if len(batches) < 2 or steps < 0:
        raise TrainingError(
            "The neural-render test needs at least 32 faces: some to learn from, others to be judged by."
        )
    held = max(len(batches) // 4, 1)
    dice = torch.Generator().manual_seed(_SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        painter = Generator(width=width, residual_blocks=1)
    shown = [_inputs(paths, batch, dice) for batch in batches]
    adam = torch.optim.Adam(painter.parameters(), rate)
    with torch.enable_grad():
        for step in range(steps):
            render, masked, photo = shown[step % (len(shown) - held)]
            made = painter(render, masked)
            loss = 10 * (made - photo).abs().mean() + 3 * losses.structure_loss(made, photo)  # as in core training
            adam.zero_grad()
            loss.backward()
            adam.step()
    for norm in (m for m in painter.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over what follows: a running one lags behind in so few steps
    with torch.no_grad():
        for render, masked, _ in shown[:-held]:
            painter(render, masked)
        painter.eval()
        made = [(painter(render, masked), photo) for render, masked, photo in shown[-held:]]
        l1 = [(a - b).abs().mean().item() for a, b in made]
        structure = [losses.structure_loss(a, b).item() for a, b in made]
    return {
        "neural_render_steps": float(steps),
        "neural_render_l1": sum(l1) / held,
        "neural_render_structure": sum(structure) / held,
    }


@torch.no_grad()
def _inputs(paths: Paths, batch: Batch, dice: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Render, masked photo, photo."""
    found = paths.analyse(batch.image)
    return found.rendered.image, paths.mask(batch, found, found, holes=0.01, generator=dice), batch.image
