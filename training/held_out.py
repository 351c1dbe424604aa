# SPDX-License-Identifier: Apache-2.0
"""A quick look at faces that a run does not learn from, in the middle of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from .data.source import Request, open_source

if TYPE_CHECKING:
    from .engine import Trainer

__all__ = ["look", "swapped"]

_SEED = 2**31 - 1  # of held-out batches, whatever the run's own is


class swapped:
    """Inside, a module has other weights."""

    def __init__(self, module: nn.Module, values: dict[str, torch.Tensor] | None) -> None:
        self._module, self._values = module, values

    def __enter__(self) -> nn.Module:
        if self._values is not None:
            self._own = {k: v.clone() for k, v in self._module.state_dict().items()}
            self._module.load_state_dict(self._values)
        return self._module

    def __exit__(self, *error: object) -> None:
        if self._values is not None:
            self._module.load_state_dict(self._own)


@torch.no_grad()
def look(trainer: Trainer) -> dict[str, float]:
    """Errors of the averaged encoder on held-out batches: landmarks in percent of the crop, vertices in mm and
    expressions where truth is known. The run's own random numbers are left alone."""
    config, paths = trainer.config, trainer.paths
    source = config.data.check_source or config.data.source
    options = config.data.check_options if config.data.check_source else config.data.options
    device = str(trainer.fabric.device)
    request = Request(config.data.size, min(config.data.batch, 32), _SEED, 0, 0, 1, device, config.model.head, False)
    totals: dict[str, list[float]] = {}
    cuda = [trainer.fabric.device.index or 0] if trainer.fabric.device.type == "cuda" else []
    with torch.random.fork_rng(cuda), swapped(paths.encoder, trainer.average.values if trainer.average else None):
        paths.eval()
        batches = open_source(source, request, options)
        for _ in range(config.run.check_batches):
            batch = next(batches)
            groups = paths.encode(batch.image)
            mesh = paths.face.mesh(groups)
            for name, wanted in batch.landmarks.items():
                if name in mesh.landmarks:
                    error = (mesh.landmarks[name] - wanted).norm(dim=-1).mean() / 2
                    totals.setdefault(f"landmarks_{name}_percent", []).append(100 * error.item())
            if "expression" in batch.truth:
                width = groups["expression"].shape[1]
                error = (groups["expression"] - batch.truth["expression"][:, :width]).abs().mean()
                totals.setdefault("expression_error", []).append(error.item())
                still = {k: torch.zeros_like(v) if k == "rotation" else v for k, v in batch.truth.items()}
                mine = still | {k: v for k, v in groups.items() if k in ("expression", "jaw", "eyelids", "identity")}
                face = torch.from_numpy(paths.face.model.regions["face"]).to(batch.image.device)
                apart = paths.face.mesh(mine).vertices[:, face] - paths.face.mesh(still).vertices[:, face]
                totals.setdefault("vertex_mm", []).append(1000 * apart.norm(dim=-1).mean().item())
        paths.train()
    return {k: sum(v) / len(v) for k, v in totals.items()}
