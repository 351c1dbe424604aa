# SPDX-License-Identifier: Apache-2.0
"""Random performances in batches, on any device: the ideas of :mod:`training.data.expressions` without its loops.

Neutral, one to three acts, single actions, dense mixtures and visemes; pushed to extremes, lopsided, with closed eyes
and winks; gaze always. Every weight stays within what one muscle lets another do.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.heads.presets import PRESETS

from .dice import Dice
from .expressions import ACTS, PAIRED, SIDES, UNITS

__all__ = ["KINDS", "Actor", "sample_weights"]

# Share of each kind of performance.
KINDS = {"neutral": 0.10, "acts": 0.37, "single": 0.15, "dense": 0.25, "viseme": 0.13}

_YIELDS = (
    ("eyeWide{}", "eyeBlink{}"), ("mouthFrown{}", "mouthSmile{}"), ("mouthStretch{}", "mouthPucker"),
    ("mouthSmile{}", "mouthPucker"), ("mouthPress{}", "mouthFunnel"), ("browOuterUp{}", "browDown{}"),
    ("mouthUpperUp{}", "mouthRollUpper"), ("mouthLowerDown{}", "mouthRollLower"),
)  # fmt: skip


def _row(act: dict[str, float], side: str) -> np.ndarray:
    """(52,) upper ends of an act's weights; actions that go to one side go to ``side``."""
    out = np.zeros(len(ARKIT_NAMES), np.float32)
    for unit, top in act.items():
        ends = ("Left", "Right") if unit in PAIRED else (side,) if unit in SIDES else ("",)
        for end in ends:
            out[ARKIT_INDEX[unit + end]] = top
    return out


@lru_cache(maxsize=8)
def _tables(device: torch.device) -> dict[str, Tensor]:
    """Acts, visemes and single units as rows of weights; which weights are left or right; exclusions."""
    sides = ("Left", "Right")
    units = [{u: 1.0} for u in UNITS]
    acts = [_row(a, s) for a in ACTS for s in sides]
    acts += [p.row().astype(np.float32) for p in PRESETS if p.kind == "expression" and p.weights]
    losers, winners = [], []
    for loser, winner in _YIELDS:
        for side in sides:
            losers.append(ARKIT_INDEX[loser.format(side)])
            winners.append(ARKIT_INDEX[winner.format(side)])
    for loser, winner in (("mouthFunnel", "mouthRollLower"), ("jawRight", "jawLeft"), ("mouthRight", "mouthLeft")):
        losers.append(ARKIT_INDEX[loser])
        winners.append(ARKIT_INDEX[winner])
    tables = {
        "acts": np.stack(acts),
        "units": np.stack([_row(u, s) for u in units for s in sides]),
        "visemes": np.stack([p.row().astype(np.float32) for p in PRESETS if p.kind == "viseme"]),
        "left": np.array([n.endswith("Left") for n in ARKIT_NAMES]),
        "right": np.array([n.endswith("Right") for n in ARKIT_NAMES]),
        "losers": np.array(losers),
        "winners": np.array(winners),
    }
    return {k: torch.as_tensor(v, device=device) for k, v in tables.items()}


def sample_weights(dice: Dice, count: int) -> Tensor:
    """(count, 52) ARKit weights in [0, 1]."""
    table = _tables(dice.device)
    size = len(ARKIT_NAMES)
    edges = torch.tensor(list(KINDS.values()), device=dice.device).cumsum(0)
    kind = torch.searchsorted(edges[:-1].contiguous(), dice.uniform(0, 1, count))

    acts = table["acts"][dice.pick(len(table["acts"]), count, 3)]
    used = torch.arange(3, device=dice.device) < 1 + dice.pick(3, count, 1)
    strength = 1 - 0.9 * dice.uniform(0, 1, count, 3) ** 1.4
    acting = (acts * (strength * used)[..., None] * dice.uniform(0.6, 1.1, count, 3, size)).amax(1)
    single = table["units"][dice.pick(len(table["units"]), count)]
    single = single * (1 - 0.85 * dice.uniform(0, 1, count, 1) ** 1.5)
    values = dice.uniform(0, 1, count, len(table["units"])) ** 1.2 * dice.coin(0.09, count, len(table["units"]))
    dense = (table["units"] * values[..., None]).amax(1)
    viseme = table["visemes"][dice.pick(len(table["visemes"]), count)] * dice.uniform(0.5, 1.4, count, 1)
    viseme = torch.maximum(viseme, acting * 0.6 * dice.coin(0.4, count, 1))
    trace = single * 0.1 * dice.coin(0.4, count, 1)
    weights = torch.stack([trace, acting, single, dense, viseme], 1)[torch.arange(count, device=dice.device), kind]

    extreme = dice.coin(0.15, count, 1) & (kind > 0)[:, None] & (weights > 0.35)
    weights = torch.where(extreme, dice.uniform(0.85, 1, count, size), weights)
    even = 1 + 0.08 * dice.normal(count, 2)
    weak = dice.uniform(0, 1, count) ** 1.5
    side = torch.nn.functional.one_hot(dice.pick(2, count), 2)
    lopsided = torch.where(dice.coin(0.35, count)[:, None] & (side > 0), weak[:, None], 1.0)
    gain = (even * lopsided).clamp_min(0)
    weights = weights * torch.where(table["left"], gain[:, :1], torch.where(table["right"], gain[:, 1:], 1.0))
    weights = _eyes(weights, dice, kind == 0)
    return _tidy(weights, dice, table)


def _eyes(weights: Tensor, dice: Dice, calm: Tensor) -> Tensor:
    """Gaze of both eyes together with a little vergence; blinks, half blinks, winks and closed eyes."""
    count = len(weights)
    weights = weights.clone()
    look = torch.where(calm, 0.2, 0.55)[:, None] * dice.normal(count, 2) * dice.coin(0.8, count, 1)
    look = look / look.norm(dim=1, keepdim=True).clamp_min(1.0)  # eyes do not reach the corners of their range
    toe = 0.08 * dice.normal(count).abs()
    for name, sign in (("Left", 1.0), ("Right", -1.0)):
        outward, height = sign * look[:, 0] - toe, look[:, 1]
        for direction, value in (("Out", outward), ("In", -outward), ("Up", height), ("Down", -height)):
            weights[:, ARKIT_INDEX[f"eyeLook{direction}{name}"]] = value.clamp_min(0)
    shut = dice.uniform(0.1, 1.25, count).clamp_max(1)
    shut = torch.where(dice.coin(0.3, count), 1.0, shut)
    both = shut[:, None].expand(-1, 2)
    wink = torch.nn.functional.one_hot(dice.pick(2, count), 2).bool() & dice.coin(0.3, count, 1)
    both = torch.where(wink, both * dice.uniform(0, 1, count, 1) ** 2, both)
    both = both * (dice.coin(0.28, count) & ~calm)[:, None]
    weights[:, ARKIT_INDEX["eyeBlinkLeft"]], weights[:, ARKIT_INDEX["eyeBlinkRight"]] = both.unbind(1)
    return weights


def _tidy(weights: Tensor, dice: Dice, table: dict[str, Tensor]) -> Tensor:
    """Range and exclusions."""
    count = len(weights)
    for loser, winner in zip(table["losers"].tolist(), table["winners"].tolist(), strict=True):
        weights[:, loser] *= (1 - 1.2 * weights[:, winner]).clamp_min(0)
    jaw, close, tongue = (ARKIT_INDEX[n] for n in ("jawOpen", "mouthClose", "tongueOut"))
    shut = dice.coin(0.15, count) * dice.uniform(0.3, 1, count)
    weights[:, close] = torch.maximum(weights[:, close], weights[:, jaw] * shut)
    weights[:, close] = torch.minimum(weights[:, close], weights[:, jaw])
    out = dice.coin(0.03, count) & (weights[:, jaw] > 0.25) & (weights[:, close] < 0.1)
    weights[:, tongue] = out * dice.uniform(0.2, 1, count)
    return weights.clamp(0, 1)


class Actor:
    """Turns ARKit weights into a head's parameter groups on a device; the map is linear, so it is one matrix each.

    Args:
        model: a head with ARKit's expressions.
        device: of the results.
    """

    def __init__(self, model: HeadModel, device: torch.device | str = "cpu") -> None:
        unit = groups_from_arkit(model, np.eye(len(ARKIT_NAMES)))
        self._maps = {k: torch.as_tensor(v, dtype=torch.float32, device=device) for k, v in unit.items()}

    def groups(self, weights: Tensor) -> dict[str, Tensor]:
        """(B, 52) weights to expression (B, E), eyelids (B, 2), jaw (B, 3), eyes (B, 4)."""
        return {k: weights @ v for k, v in self._maps.items()}
