# SPDX-License-Identifier: Apache-2.0
"""The two paths of analysis by neural synthesis.

*Reconstruction*: photo -> encoder -> mesh -> render; render and a few pixels -> generator -> the photo again.
*Cycle*: the expressions found are changed, a new face is synthesised, and the encoder has to find them again.
Source: SMIRK (Retsinas et al. 2024), sections 3.2 and 3.3; specification, sections 5 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch import Tensor, nn

from ..encoder.architecture import BRANCHES
from . import losses, masking
from .augmentation import Augmentation
from .face_model import FaceModel, Mesh, bounded, groups_of
from .mesh_render import Rendered

__all__ = ["BRANCH_NAMES", "Analysis", "Batch", "Paths", "Synthesis", "frozen"]


BRANCH_NAMES = tuple(branch.name for branch in BRANCHES)


@dataclass(frozen=True)
class Batch:
    """Faces to learn from.

    Attributes:
        image: (B, 3, S, S) RGB crops in [0, 1].
        hull: (B, 1, S, S) bool, inside the convex hull of the face's landmarks.
        landmarks: name of an embedding -> (B, L, 2) crop coordinates.
        trust: name of an embedding -> (B,) or (B, L), 0 where a landmark is not known; "truth_<group>" -> (B,), 0
            where a face's truth is not; "aligned" -> (B,), 0 where a face could not be aligned.
        truth: exact groups (B, size), for faces that were made; {} for photos.
        aligned: (B, 3, 112, 112) the faces before light and colours were changed, as a face recogniser wants them.
    """

    image: Tensor
    hull: Tensor
    landmarks: Mapping[str, Tensor]
    trust: Mapping[str, Tensor] = field(default_factory=dict)
    truth: Mapping[str, Tensor] = field(default_factory=dict)
    aligned: Tensor | None = None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Analysis:
    """What the encoder sees in a batch: parameter groups, the mesh they make, its picture or how to get it."""

    groups: dict[str, Tensor]
    mesh: Mesh
    drawn: Rendered | Callable[[], Rendered]

    @cached_property
    def rendered(self) -> Rendered:
        """The picture of the mesh."""
        return self.drawn() if callable(self.drawn) else self.drawn


@dataclass(frozen=True)
class Synthesis:
    """What the generator made: its two inputs and its picture."""

    render: Tensor
    masked: Tensor
    image: Tensor


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Nothing of the modules changes inside: no gradients on their weights, no batch statistics; gradients still
    pass through them. Modes and flags are as before afterwards."""
    modes = [(m, m.training) for module in modules for m in module.modules()]
    flags = [(p, p.requires_grad) for module in modules for p in module.parameters()]
    try:
        for module in modules:
            module.eval()
            module.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


class Paths(nn.Module):
    """Encoder, generator and head, and the two ways through them.

    Args:
        encoder: crops to the outputs of :class:`smirk_core.encoder.smirk_encoder.SmirkEncoder`.
        generator: :class:`smirk_core.neural.generator.Generator`, or None for pretraining.
        face: the head model.
        region_weights: (F,) how likely each triangle of the head is to lend pixels.
        augment: changes expressions for the cycle path.
        trained: branches of the encoder that learn; the others are frozen, batch statistics included.
        mask_ratio: sampled points as a share of the pixels.
        faithful: keep the original's way where it has a known fault: pixels of hidden skin are transferred, and
            frozen branches keep changing their batch statistics (specification, section 9, defects 3 and 8).
    """

    region_weights: Tensor
    triangles: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module | None,
        face: FaceModel,
        region_weights: Tensor,
        augment: Augmentation | None = None,
        *,
        trained: tuple[str, ...] = BRANCH_NAMES,
        mask_ratio: float = 0.01,
        dilation: int = 10,
        faithful: bool = False,
    ) -> None:
        super().__init__()
        self.encoder, self.generator, self.face, self.augment = encoder, generator, face, augment
        self.mask_ratio, self.dilation, self.faithful = mask_ratio, dilation, faithful
        self.fixed = tuple(b for name, b in encoder.named_children() if name in BRANCH_NAMES and name not in trained)
        for branch in self.fixed:
            branch.requires_grad_(False)
        self.register_buffer("region_weights", region_weights.float(), persistent=False)
        self.register_buffer("triangles", torch.as_tensor(face.model.triangles).long(), persistent=False)

    def train(self, mode: bool = True) -> Paths:
        """As usual, but frozen branches stay in evaluation mode."""
        super().train(mode)
        if not self.faithful:
            for branch in self.fixed:
                branch.eval()
        return self

    def encode(self, image: Tensor) -> dict[str, Tensor]:
        """Parameter groups of crops; expressions within the head's range."""
        groups = {k: v.float() for k, v in groups_of(self.encoder(image)).items()}
        low, high = self.face.model.expression_range
        groups["expression"] = bounded(groups["expression"], low, high)
        return groups

    def analyse(self, image: Tensor) -> Analysis:
        """Encode, pose, draw. Without a generator the picture is drawn when somebody asks for it."""
        groups = self.encode(image)
        mesh = self.face.mesh(groups)
        draw = partial(self.face.render, mesh, groups["camera"])
        return Analysis(groups, mesh, draw if self.generator is None else draw())

    def mask(
        self,
        batch: Batch,
        source: Analysis,
        target: Analysis,
        *,
        holes: float,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The generator's second input: surroundings, and pixels of skin carried from one mesh to the other."""
        with torch.no_grad():
            size = batch.image.shape[-1]
            before, after = source.rendered.projected.detach(), target.rendered.projected.detach()
            count = int(self.mask_ratio * size * size)
            points = masking.sample_surface(before, self.triangles, self.region_weights, count, generator)
            places = [masking.points_on(p, self.triangles, points) for p in (before, after)]
            keep = None
            if not self.faithful:
                keep = masking.seen(places[0], source.rendered.fragments)
                keep &= masking.seen(places[1], target.rendered.fragments)
            extra = masking.transfer(batch.image, places[0], places[1], keep)
            return masking.compose(
                batch.image, batch.hull, target.rendered.mask, extra,
                radius=self.dilation, holes=holes, generator=generator,
            )  # fmt: skip

    def synthesise(self, render: Tensor, masked: Tensor) -> Synthesis:
        """Let the generator paint."""
        assert self.generator is not None
        return Synthesis(render, masked, self.generator(render, masked))

    def reconstruct(self, batch: Batch, generator: torch.Generator | None = None) -> tuple[Analysis, Synthesis | None]:
        """First path. The render keeps its gradient, which reaches the expression through the shading."""
        found = self.analyse(batch.image)
        if self.generator is None:
            return found, None
        masked = self.mask(batch, found, found, holes=0.01, generator=generator)
        return found, self.synthesise(found.rendered.image, masked)

    def analysis_terms(self, batch: Batch, found: Analysis) -> dict[str, Tensor]:
        """Losses of the first path that need no generator."""
        terms = losses.regularisers(found.groups)
        for name, wanted in batch.landmarks.items():
            if name in found.mesh.landmarks:
                terms[f"landmarks_{name}"] = losses.landmark_loss(
                    found.mesh.landmarks[name], wanted, batch.trust.get(name)
                )
        for name, wanted in batch.truth.items():
            if name in found.groups:
                width = min(wanted.shape[1], found.groups[name].shape[1])
                guess, goal = found.groups[name][:, None, :width], wanted[:, None, :width]
                terms[f"truth_{name}"] = losses.landmark_loss(guess, goal, batch.trust.get(f"truth_{name}"))
        return terms

    def change(self, found: Analysis, generator: torch.Generator | None = None) -> Analysis:
        """The same faces with other expressions; no gradient leads back to the encoder."""
        assert self.augment is not None
        with torch.no_grad():
            groups = self.augment(found.groups, generator)
            mesh = self.face.mesh(groups)
            return Analysis(groups, mesh, self.face.render(mesh, groups["camera"]))

    def cycle(
        self, batch: Batch, found: Analysis, *, train_generator: bool, generator: torch.Generator | None = None
    ) -> tuple[Analysis, Synthesis, dict[str, Tensor]]:
        """Second path. The one that is not trained is frozen, batch statistics included.

        Returns:
            The changed faces, their pictures, and what the encoder finds in those.
        """
        assert self.generator is not None
        changed = self.change(found, generator)
        masked = self.mask(batch, found, changed, holes=0.005, generator=generator)
        render = changed.rendered.image.detach()
        if train_generator:
            made = self.synthesise(render, masked)
            with frozen(self.encoder):
                again = self.encode(made.image)
        else:
            with frozen(self.generator), torch.no_grad():
                made = self.synthesise(render, masked)
            again = self.encode(made.image)
        return changed, made, again
