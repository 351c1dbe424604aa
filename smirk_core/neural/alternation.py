# SPDX-License-Identifier: Apache-2.0
"""One training step: both paths, who learns in which, and what keeps gradients from leaking.

=================  ===========================  ===========================
pass               encoder (trained branches)   generator
=================  ===========================  ===========================
reconstruction     learns                       learns
cycle, even step   frozen, gradient passes      learns, gradient clipped
cycle, odd step    learns                       frozen, its picture is data
=================  ===========================  ===========================

Source: specification, sections 7.2 to 7.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from . import losses
from .paths import Analysis, Batch, Paths, Synthesis, frozen

__all__ = ["Alternation", "StepResult"]


@dataclass(frozen=True)
class StepResult:
    """What a step found out.

    Attributes:
        terms: name -> value of every loss term, weighted or only watched.
        found, made: first path.
        changed, remade: second path, None where it is off.
        again: groups found in the changed faces.
        skipped: the passes whose loss was not finite; nothing was learned from them.
    """

    terms: dict[str, float]
    found: Analysis
    made: Synthesis | None
    changed: Analysis | None = None
    remade: Synthesis | None = None
    again: dict[str, Tensor] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


@dataclass
class Alternation:
    """Trains with both paths.

    Attributes:
        paths: the networks.
        encoder_optimiser, generator_optimiser: None where that network is not trained.
        weights: name of a loss term -> weight.
        picture_losses: compare the generator's picture with the photo; both networks learn from them.
        encoder_picture_losses: the same, but only the encoder learns (the emotion loss).
        recogniser: aligned faces (B, 3, 112, 112) to the identity (B, K) that the encoder shall find in them (MICA).
        clip: largest gradient norm of the generator in its cycle step.
        backward: what computes gradients from a loss; Fabric's, or the loss's own.
        share: called with the parameters after each backward pass, to average gradients over processes.
        random: of masks and augmentation; None takes torch's own.
    """

    paths: Paths
    encoder_optimiser: torch.optim.Optimizer | None
    generator_optimiser: torch.optim.Optimizer | None
    weights: Mapping[str, float]
    picture_losses: Mapping[str, losses.PictureLoss] = field(default_factory=dict)
    encoder_picture_losses: Mapping[str, losses.PictureLoss] = field(default_factory=dict)
    recogniser: Callable[[Tensor], Tensor] | None = None
    clip: float = 0.1
    backward: Callable[[Tensor], None] = torch.Tensor.backward
    share: Callable[[list[nn.Parameter]], None] = lambda parameters: None
    random: torch.Generator | None = None

    def __call__(self, batch: Batch, step: int) -> StepResult:
        """Learn from a batch; ``step`` decides whose turn the cycle path is."""
        skipped = []
        found, made, terms = self._reconstruction(batch)
        if not self._learn(terms, [self.encoder_optimiser, self.generator_optimiser]):
            skipped.append("reconstruction")
        result = StepResult(_numbers(terms), found, made)
        if made is not None and self._cycles:
            detached = Analysis({k: v.detach() for k, v in found.groups.items()}, found.mesh, found.rendered)
            turn = step % 2 == 0
            changed, remade, again = self.paths.cycle(batch, detached, train_generator=turn, generator=self.random)
            cycle = losses.cycle_loss(again, changed.groups, identity=turn)
            learner = self.generator_optimiser if turn else self.encoder_optimiser
            if not self._learn(cycle, [learner], clip=self.clip if turn else None):
                skipped.append("cycle")
            result = StepResult(result.terms | _numbers(cycle), found, made, changed, remade, again, tuple(skipped))
        elif skipped:
            result = StepResult(result.terms, found, made, skipped=tuple(skipped))
        return result

    @property
    def _cycles(self) -> bool:
        return self.paths.augment is not None and any(
            w > 0 for name, w in self.weights.items() if name.startswith("cycle_")
        )

    def _reconstruction(self, batch: Batch) -> tuple[Analysis, Synthesis | None, dict[str, Tensor]]:
        found, made = self.paths.reconstruct(batch, self.random)
        terms = self.paths.analysis_terms(batch, found)
        if self.recogniser is not None and batch.aligned is not None and self.weights.get("mica_identity", 0) > 0:
            with torch.no_grad():
                wanted_identity = self.recogniser(batch.aligned)
            terms["mica_identity"] = losses.identity_loss(
                found.groups["identity"], wanted_identity, batch.trust.get("aligned")
            )
        if made is not None:
            terms["photometric"] = (made.image - batch.image).abs().mean()
            for name, loss in self.picture_losses.items():
                terms[name] = loss(made.image, batch.image)
            wanted = {n: loss for n, loss in self.encoder_picture_losses.items() if self.weights.get(n, 0) > 0}
            if wanted and self.paths.generator is not None:
                with frozen(self.paths.generator):
                    picture = self.paths.synthesise(made.render, made.masked).image
                for name, loss in wanted.items():
                    terms[name] = loss(picture, batch.image)
        return found, made, terms

    def _learn(
        self,
        terms: Mapping[str, Tensor],
        optimisers: list[torch.optim.Optimizer | None],
        clip: float | None = None,
    ) -> bool:
        """One gradient step; False where the loss or a gradient was not finite and nothing was learned."""
        used = [o for o in optimisers if o is not None]
        loss = losses.total(terms, self.weights)
        if not used or not loss.requires_grad:
            return True
        parameters = [p for o in used for group in o.param_groups for p in group["params"]]
        for optimiser in (self.encoder_optimiser, self.generator_optimiser):
            if optimiser is not None:
                optimiser.zero_grad(set_to_none=True)
        self.backward(loss)
        self.share(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, float("inf") if clip is None else clip)
        # Gradients are the same in all processes by now, so all of them skip or none does.
        if not torch.isfinite(norm):
            for optimiser in used:
                optimiser.zero_grad(set_to_none=True)
            return False
        for optimiser in used:
            optimiser.step()
        return True


def _numbers(terms: Mapping[str, Tensor]) -> dict[str, float]:
    """All terms at once, with one wait for the device."""
    if not terms:
        return {}
    values = torch.stack([t.detach().float() for t in terms.values()]).tolist()
    return dict(zip(terms, values, strict=True))
