# SPDX-License-Identifier: Apache-2.0
"""What a training run does, as typed settings: read from YAML, changed from the command line, saved with checkpoints.

Numbers without another source are those of specification, section 7.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from smirk_core.errors import TrainingError

from .schedules import Ramp
from .settings import as_dict, parse_settings, read_tree, to_yaml

__all__ = ["Config", "Data", "Losses", "Model", "Optimiser", "Run", "as_dict", "load_config", "parse_config", "to_yaml"]


@dataclass(frozen=True)
class Data:
    """Where batches come from.

    Attributes:
        source: a key of ``training.data.SOURCES``.
        options: what that source alone understands.
        size: of the square pictures in pixels, a multiple of 16.
        batch: pictures a step, over all processes.
        check_source, check_options: held-out data; the same as for training where empty.
    """

    source: str = "plain"
    options: dict[str, Any] = field(default_factory=dict)
    size: int = 112
    batch: int = 16
    check_source: str = ""
    check_options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The networks.

    Attributes:
        head: name or file of the head model.
        identity, expressions: how many of the head's the encoder gives; 0 for all.
        landmarks: embeddings of the head that landmark losses compare.
        trained: branches of the encoder that learn.
        start: encoder to begin with: a weights file, a run's folder or one of its checkpoints; random where empty.
        start_generator: the same for the generator.
        generator: channels of its first stage, 32 in the original; 0 for none.
        residual_blocks: of the generator, 5 in the original.
        masks: FLAME_masks_triangles.npy of SMIRK's assets folder, for FLAME; its vertex regions serve where empty.
        templates: folder expression_templates_famos, for FLAME; the bundled head has a library of its own.
        mask_ratio: points of skin that the generator sees, as a share of the pixels.
        dilation: pixels by which the face is grown before it is blanked.
        faithful: keep the original's known faults, for comparison.
    """

    head: str = "open"
    identity: int = 0
    expressions: int = 0
    landmarks: tuple[str, ...] = ("mediapipe_105",)
    trained: tuple[str, ...] = ("pose_encoder", "shape_encoder", "expression_encoder")
    start: str = ""
    start_generator: str = ""
    generator: int = 0
    residual_blocks: int = 5
    masks: str = ""
    templates: str = ""
    mask_ratio: float = 0.01
    dilation: int = 10
    faithful: bool = False


@dataclass(frozen=True)
class Losses:
    """How much each term counts; terms without a weight are only watched.

    Attributes:
        weights: term -> weight, or term -> {share of the run: weight}, straight lines between.
        pictures: name of a term -> the loss that compares synthesis and photo: ``structure``, or ``vgg`` with a file.
        emotion: file of the emotion network, for the term ``emotion``; none where empty.
        vgg: file of VGG16's weights, for the term ``vgg``.
        mica: file of MICA, for the term ``mica_identity`` of FLAME heads while the shape encoder learns; the term is
            left out where empty.
    """

    weights: dict[str, Ramp] = field(default_factory=dict)
    pictures: tuple[str, ...] = ("structure",)
    vgg: str = ""
    emotion: str = ""
    mica: str = ""


@dataclass(frozen=True)
class Optimiser:
    """How weights move.

    Attributes:
        encoder_rate, generator_rate: learning rates at the start.
        floor: share of them that is left at the end of the cosine.
        warmup: steps over which they rise from nothing.
        restart_every: steps after which the cosine starts again; 0 for one cosine over the run. The original restarts
            every epoch of 1562 steps, and with ``model.faithful`` also forgets its generator's moments there.
        encoder_betas, generator_betas: of Adam.
        clip_cycle: largest gradient norm of the generator in the cycle path.
        ema: decay of the encoder's moving average; 0 for none.
    """

    encoder_rate: float = 2.5e-4
    generator_rate: float = 1e-3
    floor: float = 0.01
    warmup: int = 0
    restart_every: int = 0
    encoder_betas: tuple[float, float] = (0.9, 0.999)
    generator_betas: tuple[float, float] = (0.5, 0.999)
    clip_cycle: float = 0.1
    ema: float = 0.999


@dataclass(frozen=True)
class Run:
    """How long, where, and what is written down.

    Attributes:
        steps: of the whole run.
        seed: of all random numbers.
        save_every: steps between checkpoints: what an interrupted run loses at most.
        keep: checkpoints kept.
        part_mib: cut checkpoints into files of at most so many MiB; 0 for one file.
        log_every, picture_every, check_every: steps between lines, picture grids, looks at held-out data; 0 for never.
        check_batches: held-out batches at each look.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices, nodes: processes on each machine, machines.
        precision: ``32-true`` or ``bf16-mixed``.
        channels_last: memory layout of pictures and weights.
        compile: let torch compile both networks.
        threads: of torch on the CPU; 0 for torch's own choice.
    """

    steps: int = 1000
    seed: int = 0
    save_every: int = 500
    keep: int = 2
    part_mib: int = 0
    log_every: int = 10
    picture_every: int = 250
    check_every: int = 0
    check_batches: int = 4
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1
    nodes: int = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = True
    compile: bool = False
    threads: int = 0


@dataclass(frozen=True)
class Config:
    """All of it."""

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    losses: Losses = field(default_factory=Losses)
    optimiser: Optimiser = field(default_factory=Optimiser)
    run: Run = field(default_factory=Run)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Settings from a YAML file, changed by ``key.sub=value`` lines.

    Raises:
        TrainingError: the file is missing or no YAML, or a key or a value is not known; the line names it.
    """
    return parse_config(read_tree(path), overrides, source=str(path))


def parse_config(tree: Mapping[str, Any], overrides: Sequence[str] = (), source: str = "the settings") -> Config:
    """Settings from dictionaries; see :func:`load_config`."""
    config = parse_settings(Config, tree, overrides, source)
    _check(config)
    return config


def _check(config: Config) -> None:
    if config.data.size % 16 or config.data.size < 32:
        raise TrainingError(f"data.size is {config.data.size}; it must be a multiple of 16, from 32 on.")
    for name, low in (("data.batch", 1), ("run.steps", 1), ("run.save_every", 1), ("run.keep", 1), ("run.devices", 1)):
        section, key = name.split(".")
        if getattr(getattr(config, section), key) < low:
            raise TrainingError(f"{name} must be at least {low}.")
    world = config.run.devices * config.run.nodes
    if config.data.batch % world:
        raise TrainingError(f"data.batch = {config.data.batch} cannot be shared evenly by {world} processes.")
    known = {"pose_encoder", "shape_encoder", "expression_encoder"}
    wrong = set(config.model.trained) - known
    if wrong:
        raise TrainingError(f"model.trained names '{min(wrong)}'; there are {', '.join(sorted(known))}.")
    if not config.losses.weights:
        raise TrainingError("losses.weights is empty: nothing would be learned.")
    if config.model.generator < 0 or not 0 <= config.optimiser.ema < 1:
        raise TrainingError("model.generator must not be negative, and optimiser.ema must lie in [0, 1).")
