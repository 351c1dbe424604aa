# SPDX-License-Identifier: Apache-2.0
"""The encoder as data: one table from which the torch modules, the ONNX graph and the list of weights are made.

Three networks (Retsinas et al. 2024), each a MobileNetV3 "minimal" without squeeze-excite (Howard et al. 2019), mean
pooling and one linear layer. Names and numerics are those of the published checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BRANCHES",
    "CROP_SCALE",
    "IMAGE_SIZE",
    "NORM_EPSILON",
    "NORM_MOMENTUM",
    "PREFIX",
    "Block",
    "Branch",
    "ConvUnit",
    "EncoderSize",
    "Output",
    "encoder_keys",
    "same_padding",
]

PREFIX = "smirk_encoder."  # of the encoder's names in a checkpoint
CROP_SCALE = 1.4  # side of a crop in sizes of the landmarks' box, as in SMIRK's demos
IMAGE_SIZE = 224
NORM_EPSILON = 1e-3
NORM_MOMENTUM = 0.1  # share of the newest batch in the running statistics
STEM_CHANNELS = 16


@dataclass(frozen=True, slots=True)
class ConvUnit:
    """A convolution without bias and the batch normalisation that follows it.

    Attributes:
        conv, norm: names within the block.
        inputs, outputs: channels.
        kernel, stride: pixels.
        depthwise: one filter per channel.
        relu: whether a ReLU follows.
    """

    conv: str
    norm: str
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu: bool = True

    @property
    def groups(self) -> int:
        return self.inputs if self.depthwise else 1

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.outputs, self.inputs // self.groups, self.kernel, self.kernel


@dataclass(frozen=True, slots=True)
class Block:
    """Units in a row; with ``skip`` the block's input is added to its output.

    ``stage`` and ``index`` name it ``blocks.STAGE.INDEX``; the stem has none.
    """

    units: tuple[ConvUnit, ...]
    skip: bool = False
    stage: int = -1
    index: int = -1

    @property
    def prefix(self) -> str:
        return "" if self.stage < 0 else f"blocks.{self.stage}.{self.index}."


def _separable(inputs: int, outputs: int, stride: int) -> tuple[ConvUnit, ...]:
    return (
        ConvUnit("conv_dw", "bn1", inputs, inputs, 3, stride, depthwise=True),
        ConvUnit("conv_pw", "bn2", inputs, outputs, relu=False),
    )


def _inverted(inputs: int, middle: int, outputs: int, stride: int) -> tuple[ConvUnit, ...]:
    return (
        ConvUnit("conv_pw", "bn1", inputs, middle),
        ConvUnit("conv_dw", "bn2", middle, middle, 3, stride, depthwise=True),
        ConvUnit("conv_pwl", "bn3", middle, outputs, relu=False),
    )


# A stage: blocks of (middle, outputs, stride). The first stage is depthwise separable, the last a plain convolution.
_Stage = tuple[tuple[int, int, int], ...]
_SMALL: tuple[_Stage, ...] = (
    ((16, 16, 2),),
    ((72, 24, 2), (88, 24, 1)),
    ((96, 40, 2), (240, 40, 1), (240, 40, 1)),
    ((120, 48, 1), (144, 48, 1)),
    ((288, 96, 2), (576, 96, 1), (576, 96, 1)),
    ((0, 576, 1),),
)
_LARGE: tuple[_Stage, ...] = (
    ((16, 16, 1),),
    ((64, 24, 2), (72, 24, 1)),
    ((72, 40, 2), (120, 40, 1), (120, 40, 1)),
    ((240, 80, 2), (200, 80, 1), (184, 80, 1), (184, 80, 1)),
    ((480, 112, 1), (672, 112, 1)),
    ((672, 160, 2), (960, 160, 1), (960, 160, 1)),
    ((0, 960, 1),),
)


def _backbone(stages: tuple[_Stage, ...]) -> tuple[Block, ...]:
    blocks = [Block((ConvUnit("conv_stem", "bn1", 3, STEM_CHANNELS, 3, 2),))]
    channels = STEM_CHANNELS
    for stage, rows in enumerate(stages):
        for index, (middle, outputs, stride) in enumerate(rows):
            if stage == 0:
                units = _separable(channels, outputs, stride)
            elif stage == len(stages) - 1:
                units = (ConvUnit("conv", "bn1", channels, outputs),)
            else:
                units = _inverted(channels, middle, outputs, stride)
            skip = len(units) > 1 and stride == 1 and channels == outputs
            blocks.append(Block(units, skip, stage, index))
            channels = outputs
    return tuple(blocks)


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the three networks.

    Attributes:
        name: of the module and of its part of a checkpoint.
        head: name of its linear layer.
        blocks: its backbone, in the order of computation.
    """

    name: Literal["pose_encoder", "shape_encoder", "expression_encoder"]
    head: str
    blocks: tuple[Block, ...]

    @property
    def features(self) -> int:
        return self.blocks[-1].units[-1].outputs


BRANCHES: tuple[Branch, ...] = (
    Branch("pose_encoder", "pose_cam_layers", _backbone(_SMALL)),
    Branch("shape_encoder", "shape_layers", _backbone(_LARGE)),
    Branch("expression_encoder", "expression_layers", _backbone(_LARGE)),
)


@dataclass(frozen=True, slots=True)
class Output:
    """Rows of a linear layer that make one output, and the bounds that its values are clamped to.

    Attributes:
        name: as in SMIRK's dictionary.
        branch: the network.
        rows: (first, one after the last).
        low, high: per row; infinite where free. A low of 0 with no high is a ReLU.
    """

    name: str
    branch: str
    rows: tuple[int, int]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

    @property
    def size(self) -> int:
        return self.rows[1] - self.rows[0]


@dataclass(frozen=True, slots=True)
class EncoderSize:
    """How many numbers the encoder gives; they follow the head model. FLAME in SMIRK: 300 and 50."""

    n_shape: int = 300
    n_exp: int = 50

    def rows(self, branch: str) -> int:
        """Outputs of a branch's linear layer."""
        return {"pose_encoder": 6, "shape_encoder": self.n_shape, "expression_encoder": self.n_exp + 5}[branch]

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs: axis-angle radians, (scale, tx, ty) of the crop camera, coefficients, lids, jaw radians."""
        n, free = self.n_exp, math.inf
        return (
            Output("pose_params", "pose_encoder", (0, 3)),
            Output("cam", "pose_encoder", (3, 6)),
            Output("shape_params", "shape_encoder", (0, self.n_shape)),
            Output("expression_params", "expression_encoder", (0, n)),
            Output("eyelid_params", "expression_encoder", (n, n + 2), (0.0, 0.0), (1.0, 1.0)),
            Output("jaw_params", "expression_encoder", (n + 2, n + 5), (0.0, -0.2, -0.2), (free, 0.2, 0.2)),
        )


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis of ``size`` pixels: TensorFlow's SAME. (224, 3, 2) gives (0, 1)."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _norm_keys(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def encoder_keys(size: EncoderSize) -> dict[str, tuple[int, ...]]:
    """Names (without :data:`PREFIX`) and shapes of all tensors, in the order of a checkpoint; 762 of them.

    All are float32 but ``num_batches_tracked``, which is a whole number.
    """
    keys: dict[str, tuple[int, ...]] = {}
    for branch in BRANCHES:
        for block in branch.blocks:
            for unit in block.units:
                at = f"{branch.name}.encoder.{block.prefix}"
                keys[f"{at}{unit.conv}.weight"] = unit.weight_shape
                keys |= dict(_norm_keys(f"{at}{unit.norm}", unit.outputs))
        rows = size.rows(branch.name)
        keys[f"{branch.name}.{branch.head}.0.weight"] = (rows, branch.features)
        keys[f"{branch.name}.{branch.head}.0.bias"] = (rows,)
    return keys
