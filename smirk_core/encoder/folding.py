# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation folded into the convolutions: what both inference engines run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .architecture import BRANCHES, NORM_EPSILON, Branch, ConvUnit, EncoderSize

__all__ = ["FoldedBlock", "FoldedBranch", "FoldedConv", "fold"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FoldedConv:
    """A convolution with bias: weight (O, I / groups, k, k) and bias (O,), float32."""

    unit: ConvUnit
    weight: Array
    bias: Array


@dataclass(frozen=True)
class FoldedBlock:
    """The convolutions of a block; with ``skip`` its input is added to its output."""

    convs: tuple[FoldedConv, ...]
    skip: bool


@dataclass(frozen=True)
class FoldedBranch:
    """One network: blocks, then the mean over the picture, then weight (rows, features) and bias (rows,), float32."""

    branch: Branch
    blocks: tuple[FoldedBlock, ...]
    weight: Array
    bias: Array


def fold(arrays: Mapping[str, Array], size: EncoderSize, epsilon: float = NORM_EPSILON) -> tuple[FoldedBranch, ...]:
    """The three networks without batch normalisation.

    y = g (W x - m) / sqrt(v + eps) + b is one convolution with W' = W g / sqrt(v + eps) and
    b' = b - m g / sqrt(v + eps); computed in float64, kept in float32.

    Args:
        arrays: as named by :func:`smirk_core.encoder.architecture.encoder_keys` of ``size``.
        size: how many outputs.
        epsilon: of the batch normalisation.
    """

    def conv(at: str, unit: ConvUnit) -> FoldedConv:
        norm = {
            part: arrays[f"{at}{unit.norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        }
        gain = norm["weight"] / np.sqrt(norm["running_var"] + epsilon)
        weight = arrays[f"{at}{unit.conv}.weight"].astype(np.float64) * gain[:, None, None, None]
        bias = norm["bias"] - norm["running_mean"] * gain
        return FoldedConv(unit, weight.astype(np.float32), bias.astype(np.float32))

    out = []
    for branch in BRANCHES:
        blocks = tuple(
            FoldedBlock(tuple(conv(f"{branch.name}.encoder.{block.prefix}", u) for u in block.units), block.skip)
            for block in branch.blocks
        )
        head = f"{branch.name}.{branch.head}.0."
        rows = size.rows(branch.name)
        weight, bias = (arrays[head + part].astype(np.float32) for part in ("weight", "bias"))
        assert weight.shape == (rows, branch.features)
        out.append(FoldedBranch(branch, blocks, weight, bias))
    return tuple(out)
