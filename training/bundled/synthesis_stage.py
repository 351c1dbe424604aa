# SPDX-License-Identifier: Apache-2.0
"""A bundled network in the two paths of neural synthesis, beside the bank: who learns from what, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from smirk_core.errors import TrainingError
from smirk_core.heads.head_model import HeadModel
from smirk_core.neural.alternation import Alternation, StepResult
from smirk_core.neural.augmentation import ArkitAugmentation
from smirk_core.neural.face_model import ENCODER_GROUPS, FaceModel, bounded
from smirk_core.neural.generator import Generator
from smirk_core.neural.losses import structure_loss
from smirk_core.neural.paths import Analysis, Batch, Paths
from smirk_core.neural.region_weights import region_weights
from smirk_core.neural.templates import named_library

from ..averaging import MovingAverage
from ..data.bank import Bank
from ..data.dice import Dice
from ..data.reduced_head import reduced_head
from ..schedules import cosine
from . import objective
from .answers import Answers
from .synthesis_photos import Photos
from .views import View, Views

__all__ = ["Ear", "Settings", "Stage"]

_LISTENING = ("expression", "eyelids", "jaw")  # what a photograph can say of a face; the others' truth is the bank's


@dataclass(frozen=True)
class Settings:
    """How the stage learns.

    Attributes:
        batch: photographs a step, and faces of the bank.
        rate: of the network at its highest; generator_rate: of the generator.
        floor: share of both that is left at the end.
        width: channels of the generator's first stage; blocks: residual ones at its coarsest.
        alone: share of the run in which the generator learns and the network does not yet listen to it.
        cycle_every: steps between two of the cycle path, whose turn is the generator's and the network's in turn.
        cycle: whether there is a cycle path. synthesis: whether there are photographs at all.
        weights: of the terms of the two paths, beside the bank's 1.
        decay: of the network's moving average.
        seed: of all random numbers.
    """

    batch: int = 16
    rate: float = 2e-4
    generator_rate: float = 2e-3
    floor: float = 0.02
    width: int = 8
    blocks: int = 1
    alone: float = 0.15
    cycle_every: int = 2
    cycle: bool = True
    synthesis: bool = True
    weights: tuple[tuple[str, float], ...] = (
        ("bank", 1.0), ("photometric", 10.0), ("structure", 3.0),
        ("cycle_expression", 10.0), ("cycle_jaw", 10.0), ("cycle_eyelids", 0.2), ("cycle_identity", 0.1),
    )  # fmt: skip
    decay: float = 0.995
    seed: int = 0


def _grey_structure(made: Tensor, wanted: Tensor) -> Tensor:
    """Structure of brightness alone, for a third of the work; colours are the photometric term's business."""
    return structure_loss(made.float().mean(1, keepdim=True), wanted.mean(1, keepdim=True))


class Ear(nn.Module):
    """A bundled network as the encoder of the two paths.

    Its batch statistics stay as they are: those of photographs, drawn faces and synthesised ones differ.

    Attributes:
        listens: whether gradients of the paths reach the network at all.
    """

    def __init__(self, network: nn.Module, answers: Answers) -> None:
        super().__init__()
        self.network, self.answers, self.listens = network, answers, True

    def train(self, mode: bool = True) -> Ear:
        """As usual, but batch statistics are used as they are."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(B, 3, S, S) to the outputs of SMIRK's encoder, lids in [0, 1].

        While it learns, only what it shall learn here carries a gradient; while it is frozen, everything does, since
        the generator has to keep the identity too.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and (self.listens or not self.training)):
            answer = self.network(image.contiguous(memory_format=torch.channels_last)).float()
        groups = self.answers.groups(answer, clamp=False)
        groups["eyelids"] = bounded(groups["eyelids"], 0.0, 1.0)
        if self.training:
            groups = {n: v if n in _LISTENING else v.detach() for n, v in groups.items()}
        return {output: groups[name] for output, name in ENCODER_GROUPS.items()}


class _Anchored(Paths):
    """Both paths, and the bank in the same step as the first."""

    encoder: Ear
    view: View

    def bank_terms(self) -> dict[str, Tensor]:
        """How wrong the network is about faces of the bank: their weighted sum as "bank", and each for the log."""
        image = self.view.image.contiguous(memory_format=torch.channels_last)
        answer = self.encoder.network(image).float()
        named = objective.losses(self.encoder.answers, answer, self.view)
        return {"bank": objective.total(named)} | {f"bank_{n}": v for n, v in named.items()}

    def analysis_terms(self, batch: Batch, found: Analysis) -> dict[str, Tensor]:
        return super().analysis_terms(batch, found) | self.bank_terms()


class Stage:
    """Networks, optimisers and what they do in a step.

    Args:
        network: begins with its weights and is changed.
        answers: their layout, for the head ``model``.
        size: of the pictures.
    """

    def __init__(self, network: nn.Module, answers: Answers, model: HeadModel, size: int, settings: Settings) -> None:
        self.settings = settings
        torch.manual_seed(settings.seed)
        generator, painter = None, None
        if settings.synthesis:
            generator = Generator(width=settings.width, residual_blocks=settings.blocks)
            generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            painter = torch.optim.Adam(generator.parameters(), settings.generator_rate, betas=(0.5, 0.999))
        small = reduced_head(model, model.regions["face"][model.triangles].all(1)).model
        augment = ArkitAugmentation.of(model, named_library(model)) if settings.synthesis and settings.cycle else None
        self.paths = _Anchored(
            Ear(network, answers), generator, FaceModel(small, size, landmarks=()), region_weights(small), augment,
            dilation=size * 5 // 112,
        )  # fmt: skip
        self.paths.train()
        decayed = [p for p in network.parameters() if p.ndim > 1]
        plain = [p for p in network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}],
            lr=settings.rate, betas=(0.9, 0.98),
        )  # fmt: skip
        self.learn = Alternation(
            self.paths, self.optimiser, painter, {}, picture_losses={"structure": _grey_structure},
            random=torch.Generator(),
        )  # fmt: skip
        self.average = MovingAverage(network, settings.decay)
        self.step = 0

    @property
    def network(self) -> nn.Module:
        """The bundled network."""
        return self.paths.encoder.network

    def __call__(
        self, photos: Photos | None, bank: Bank, views: Views, share: float
    ) -> tuple[dict[str, float], tuple[Batch, StepResult] | None]:
        """One step at a share of the run, in [0, 1]: its terms, and the photographs and what became of them.

        What it learns from depends on the seed and the step alone.
        """
        settings, seed = self.settings, self.settings.seed * 1_000_003 + self.step
        low = cosine(int(1e4 * share), 10_000, settings.floor) * min(1.0, (self.step + 1) / 100)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate * low
        dice = Dice(seed)
        rows = dice.pick(len(bank), settings.batch).numpy()
        self.paths.view = views(bank.images(rows), bank.groups(rows), dice)
        shown = None
        with torch.autocast("cpu", torch.bfloat16):
            if photos is None or self.learn.generator_optimiser is None:
                terms = self._bank_alone()
            else:
                batch = photos.batch(settings.batch, self.paths.view.image.shape[-1], seed)
                result = self._both(batch, share, low, seed)
                terms, shown = result.terms, (batch, result)
        self.average.update(self.network)
        self.step += 1
        return terms, shown

    def _bank_alone(self) -> dict[str, float]:
        terms = self.paths.bank_terms()
        self.optimiser.zero_grad(set_to_none=True)
        terms["bank"].backward()
        self.optimiser.step()
        return {n: float(v.detach()) for n, v in terms.items()}

    def _both(self, batch: Batch, share: float, low: float, seed: int) -> StepResult:
        learn, every = self.learn, self.settings.cycle_every
        assert learn.generator_optimiser is not None and learn.random is not None
        for group in learn.generator_optimiser.param_groups:
            group["lr"] = self.settings.generator_rate * low
        self.paths.encoder.listens = share >= self.settings.alone
        cycles = self.settings.cycle and self.step % every == 0
        learn.weights = {n: w for n, w in self.settings.weights if cycles or not n.startswith("cycle_")}
        learn.random.manual_seed(seed)
        return learn(batch, self.step // every)

    def state(self) -> dict[str, Any]:
        """What the stage needs to go on."""
        painter, generator = self.learn.generator_optimiser, self.paths.generator
        return {
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(), "step": self.step,
            "generator": {} if generator is None else generator.state_dict(),
            "painter": {} if painter is None else painter.state_dict(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`.

        Raises:
            TrainingError: it is none of this stage, or of one with other networks.
        """
        painter, generator = self.learn.generator_optimiser, self.paths.generator
        try:
            if bool(state["painter"]) != (painter is not None):
                raise TrainingError("The run was begun with another choice of --no-synthesis; use another folder.")
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average.load_state_dict(state["average"])
            if generator is not None and painter is not None:
                generator.load_state_dict(state["generator"])
                painter.load_state_dict(state["painter"])
            self.step = int(state["step"])
        except (KeyError, RuntimeError, ValueError) as error:
            words = " ".join(str(error).split())[:120]
            raise TrainingError(f"The run's state does not fit this stage ({words}).") from error
