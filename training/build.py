# SPDX-License-Identifier: Apache-2.0
"""Networks, losses and optimisers from settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from smirk_core.encoder.architecture import EncoderSize
from smirk_core.encoder.checkpoint import GENERATOR_PREFIX, load_weights, read_tensors
from smirk_core.encoder.smirk_encoder import SmirkEncoder
from smirk_core.errors import TrainingError
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.neural import losses
from smirk_core.neural.augmentation import ArkitAugmentation, Augmentation, FlameAugmentation
from smirk_core.neural.auxiliary.emotion import EmotionFeatures, EmotionLoss
from smirk_core.neural.auxiliary.mica import Mica
from smirk_core.neural.auxiliary.vgg import PerceptualLoss, Vgg16Features
from smirk_core.neural.face_model import FaceModel
from smirk_core.neural.generator import Generator
from smirk_core.neural.paths import Paths
from smirk_core.neural.region_weights import region_weights
from smirk_core.neural.templates import famos_templates, named_library

from . import checkpoints
from .config import Config, Losses, Model, Optimiser

__all__ = [
    "build_optimisers",
    "build_paths",
    "encoder_picture_losses",
    "encoder_size",
    "picture_losses",
    "recogniser",
    "start_from",
]


def encoder_size(settings: Model, head: HeadModel) -> EncoderSize:
    """How many numbers the encoder gives.

    Raises:
        TrainingError: more are asked for than the head has.
    """
    asked = settings.identity or head.identity_size, settings.expressions or head.expression_size
    if asked[0] > head.identity_size or asked[1] > head.expression_size:
        raise TrainingError(
            f"{head.name} has {head.identity_size} identity and {head.expression_size} expression shapes; "
            f"model.identity and model.expressions ask for {asked[0]} and {asked[1]}."
        )
    return EncoderSize(*asked)


def build_paths(config: Config) -> Paths:
    """Both networks and the head, on the CPU, with the weights that the run begins with.

    Raises:
        TrainingError, AssetError: the head, a landmark set or the weights to begin with are not there or do not fit.
    """
    settings = config.model
    head = load_head(settings.head)
    missing = [n for n in settings.landmarks if n not in head.landmarks]
    if missing:
        raise TrainingError(f"{head.name} has no landmarks '{missing[0]}'; it has {', '.join(head.landmarks)}.")
    size = encoder_size(settings, head)
    face = FaceModel(head, config.data.size, expressions=size.n_exp, landmarks=settings.landmarks)
    encoder = SmirkEncoder(size)
    if settings.start:
        _take_over(encoder, start_from(settings.start, "encoder"), settings.start)
    generator = None
    if settings.generator:
        generator = Generator(width=settings.generator, residual_blocks=settings.residual_blocks)
        if settings.start_generator:
            _take_over(generator, start_from(settings.start_generator, "generator"), settings.start_generator)
    return Paths(
        encoder, generator, face, region_weights(head, settings.masks or None),
        _augmentation(head, size, settings.templates) if generator else None,
        trained=settings.trained, mask_ratio=settings.mask_ratio, dilation=settings.dilation,
        faithful=settings.faithful,
    )  # fmt: skip


def start_from(path: str, which: str) -> Mapping[str, Any]:
    """The ``encoder`` (its average, where there is one) or ``generator`` of a weights file, a run or a checkpoint."""
    place = Path(path)
    if not place.is_dir():
        if which == "encoder":
            return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in load_weights(place).arrays.items()}
        found = read_tensors(place, GENERATOR_PREFIX)
        return {k.removeprefix(GENERATOR_PREFIX): torch.from_numpy(np.array(v)) for k, v in found.items()}
    if (place / "manifest.json").is_file():
        state, _ = checkpoints.load(place)
    else:
        found = checkpoints.latest(place)
        if found is None:
            raise TrainingError(f"{place} holds no checkpoint of a training run.")
        state = found[1]
    values = state["average"]["values"] if which == "encoder" and state.get("average") else state[which]
    if not values:
        raise TrainingError(f"{place} holds no {which}.")
    return values


def _take_over(module: nn.Module, values: Mapping[str, Any], source: str) -> None:
    try:
        module.load_state_dict(dict(values), strict=True)
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:] if line.strip()), str(error))
        raise TrainingError(f"The weights in {source} do not fit these settings: {first}") from error


def _augmentation(head: HeadModel, size: EncoderSize, templates: str) -> Augmentation:
    if head.expression_range[0] < 0:  # principal components
        return FlameAugmentation(famos_templates(templates, size.n_exp) if templates else None)
    if size.n_exp != head.expression_size:
        raise TrainingError(f"The cycle path knows {head.name}'s expressions by name: leave model.expressions at 0.")
    return ArkitAugmentation.of(head, named_library(head))


def picture_losses(settings: Losses, device: torch.device, faithful: bool) -> dict[str, losses.PictureLoss]:
    """Losses that compare synthesis and photo, by name; both networks learn from them.

    Raises:
        TrainingError: there is no such loss, or its file is not named. AssetError: the file does not fit.
    """
    found: dict[str, losses.PictureLoss] = {}
    for name in settings.pictures:
        if name == "structure":
            found[name] = losses.structure_loss
        elif name == "vgg" and settings.vgg:
            found[name] = PerceptualLoss(Vgg16Features.load(settings.vgg), faithful=faithful).to(device)
        elif name == "vgg":
            raise TrainingError("The picture loss 'vgg' needs the file of VGG16's weights: name it as losses.vgg.")
        else:
            raise TrainingError(f"There is no picture loss '{name}'; there are 'structure' and 'vgg'.")
    return found


def encoder_picture_losses(settings: Losses, device: torch.device) -> dict[str, losses.PictureLoss]:
    """The same for the encoder alone: the emotion loss, where its file is named.

    Raises:
        AssetError: the file does not fit.
    """
    if not settings.emotion:
        return {}
    return {"emotion": EmotionLoss(EmotionFeatures.load(settings.emotion)).to(device)}


def recogniser(config: Config, head: HeadModel, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    """MICA, where its file is named and the shape encoder learns: aligned faces to FLAME's identity.

    Raises:
        TrainingError: the head is no FLAME. AssetError: the file does not fit.
    """
    path = config.losses.mica
    if not path:
        return None
    if not head.name.startswith("flame"):
        raise TrainingError(
            f"losses.mica: MICA knows FLAME's identity alone, and {head.name} is no FLAME; set losses.mica= (nothing)."
        )
    if "shape_encoder" not in config.model.trained:
        return None
    return Mica.load(path, faithful=config.model.faithful).to(device)


def build_optimisers(
    paths: Paths, settings: Optimiser
) -> tuple[torch.optim.Optimizer | None, torch.optim.Optimizer | None]:
    """Adam for each network that learns; rates are set anew every step."""
    encoder = [p for p in paths.encoder.parameters() if p.requires_grad]
    first = torch.optim.Adam(encoder, settings.encoder_rate, betas=settings.encoder_betas) if encoder else None
    if paths.generator is None:
        return first, None
    made = paths.generator.parameters()
    return first, torch.optim.Adam(made, settings.generator_rate, betas=settings.generator_betas)
