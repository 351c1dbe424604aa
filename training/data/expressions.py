# SPDX-License-Identifier: Apache-2.0
"""Random performances: ARKit weights as faces really combine them, and on purpose also as they rarely do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.parameters import ARKIT_NAMES

__all__ = ["ACTS", "MIRRORED", "PAIRED", "SIDES", "UNITS", "sample_expressions", "sample_neutral"]

Floats = npt.NDArray[np.floating[Any]]


def _swapped(name: str) -> str:
    if name.endswith("Left"):
        return name[:-4] + "Right"
    return name[:-5] + "Left" if name.endswith("Right") else name


# (52,) the weight that mirrors each weight.
MIRRORED = np.array([ARKIT_INDEX[_swapped(name)] for name in ARKIT_NAMES])

PAIRED = ("eyeSquint", "eyeWide", "mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch", "mouthPress",
           "mouthLowerDown", "mouthUpperUp", "browDown", "browOuterUp", "cheekSquint", "noseSneer")  # fmt: skip
_SINGLE = ("jawForward", "jawOpen", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper",
           "mouthShrugLower", "mouthShrugUpper", "browInnerUp", "cheekPuff")  # fmt: skip
SIDES = ("jaw", "mouth")
UNITS = (*PAIRED, *_SINGLE, *SIDES)

# What people do: action -> upper end of its weight. A name without a side means both sides.
ACTS: tuple[dict[str, float], ...] = (
    {"mouthSmile": 1.0, "cheekSquint": 0.7, "eyeSquint": 0.4},
    {"mouthSmile": 1.0, "jawOpen": 0.6, "mouthUpperUp": 0.5, "cheekSquint": 0.8, "mouthLowerDown": 0.4},
    {"mouthSmile": 0.6, "mouthDimple": 0.6},
    {"mouthSmile": 0.9, "mouthUpperUp": 0.5, "mouthLowerDown": 0.5},
    {"browDown": 1.0, "eyeSquint": 0.7, "mouthPress": 0.7, "noseSneer": 0.4},
    {"browDown": 1.0},
    {"browDown": 1.0, "mouthFrown": 0.9, "mouthShrugLower": 0.5},
    {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.9, "jawOpen": 0.8},
    {"browInnerUp": 1.0, "browOuterUp": 1.0},
    {"browInnerUp": 1.0, "mouthFrown": 0.8, "mouthShrugLower": 0.6},
    {"browOuterUp": 1.0},
    {"noseSneer": 1.0, "mouthUpperUp": 0.8, "browDown": 0.6, "eyeSquint": 0.5},
    {"mouthPucker": 1.0},
    {"mouthPucker": 0.8, "mouthFunnel": 0.5, "jawOpen": 0.2},
    {"mouthFunnel": 1.0, "jawOpen": 0.5},
    {"mouthStretch": 1.0, "jawOpen": 0.4, "mouthLowerDown": 0.8},
    {"mouthRollLower": 1.0, "mouthRollUpper": 1.0, "mouthPress": 0.6},
    {"jawOpen": 1.0},
    {"jawOpen": 0.5, "mouthLowerDown": 0.5, "mouthUpperUp": 0.3},
    {"mouthFrown": 1.0},
    {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.6},
    {"cheekPuff": 1.0, "mouthPress": 0.4},
    {"eyeSquint": 1.0, "cheekSquint": 0.8},
    {"eyeWide": 1.0},
    {"mouthPress": 1.0},
    {"jaw": 1.0}, {"mouth": 1.0}, {"jawForward": 1.0},
)  # fmt: skip


def _put(weights: Floats, unit: str, value: float, rng: np.random.Generator, lopsided: bool) -> None:
    """Set an action; paired ones on both sides, or mostly on one where the face is lopsided."""
    if unit in SIDES:
        side = "Left" if rng.random() < 0.5 else "Right"
        weights[ARKIT_INDEX[unit + side]] = value
    elif unit in PAIRED:
        pair = value * np.clip(1 + 0.08 * rng.standard_normal(2), 0, None)
        if lopsided:
            pair[rng.integers(2)] *= rng.random() ** 1.5
        for side, amount in zip(("Left", "Right"), pair, strict=True):
            index = ARKIT_INDEX[unit + side]
            weights[index] = max(weights[index], amount)
    else:
        weights[ARKIT_INDEX[unit]] = max(weights[ARKIT_INDEX[unit]], value)


def _eyes(weights: Floats, rng: np.random.Generator, calm: bool) -> None:
    """Gaze of both eyes together with a little vergence; blinks, half blinks and winks."""
    look, blink = (0.2, 0.05) if calm else (0.55, 0.3)
    if rng.random() < 0.8:
        side, height = look * rng.standard_normal(2)
        far = max(1.0, float(np.hypot(side, height)))  # eyes do not reach the corners of their range
        side, height = side / far, height / far
        toe = 0.08 * abs(rng.standard_normal())
        for name, sign in (("Left", 1.0), ("Right", -1.0)):
            outward = sign * side - toe
            weights[ARKIT_INDEX[("eyeLookOut" if outward > 0 else "eyeLookIn") + name]] = abs(outward)
            weights[ARKIT_INDEX[("eyeLookUp" if height > 0 else "eyeLookDown") + name]] = abs(height)
    if rng.random() < blink:
        both = min(1.0, rng.uniform(0.1, 1.25)) * np.ones(2)
        if rng.random() < 0.3:
            both[rng.integers(2)] *= rng.random() ** 2
        weights[ARKIT_INDEX["eyeBlinkLeft"]], weights[ARKIT_INDEX["eyeBlinkRight"]] = both


def _tidy(weights: Floats, rng: np.random.Generator) -> Floats:
    """Range and exclusions: what one muscle forbids another."""
    index = ARKIT_INDEX

    def yields(loser: str, winner: str) -> None:
        weights[index[loser]] *= max(0.0, 1.0 - 1.2 * weights[index[winner]])

    for side in ("Left", "Right"):
        yields("eyeWide" + side, "eyeBlink" + side)
        yields("mouthFrown" + side, "mouthSmile" + side)
        yields("mouthStretch" + side, "mouthPucker")
        yields("mouthSmile" + side, "mouthPucker")
        yields("mouthPress" + side, "mouthFunnel")
        yields("browOuterUp" + side, "browDown" + side)
        yields("mouthUpperUp" + side, "mouthRollUpper")
        yields("mouthLowerDown" + side, "mouthRollLower")
    yields("mouthFunnel", "mouthRollLower")
    yields("jawRight", "jawLeft")
    yields("mouthRight", "mouthLeft")
    if rng.random() < 0.15:  # lips that stay together while the jaw goes down
        weights[index["mouthClose"]] = weights[index["jawOpen"]] * rng.uniform(0.3, 1.0)
    if rng.random() < 0.03 and weights[index["jawOpen"]] > 0.25:
        weights[index["tongueOut"]] = rng.uniform(0.2, 1.0)
    return np.clip(weights, 0.0, 1.0)


def sample_neutral(rng: np.random.Generator, count: int) -> Floats:
    """(count, 52) faces at rest: calm gaze, sometimes a trace of an expression, as real neutral frames have."""
    out = np.zeros((count, len(ARKIT_NAMES)))
    for row in out:
        if rng.random() < 0.4:
            for unit in rng.choice(UNITS, 2, replace=False):
                _put(row, str(unit), 0.1 * rng.random(), rng, False)
        _eyes(row, rng, True)
        for side in ("Left", "Right"):
            row[ARKIT_INDEX["eyeBlink" + side]] = 0.0
    return out


def sample_expressions(rng: np.random.Generator, count: int) -> Floats:
    """(count, 52) ARKit weights in [0, 1].

    A tenth is neutral, a good third one to three acts, a sixth a single action, the rest dense mixtures; a third
    is lopsided; eyes move in all of them.
    """
    out = np.zeros((count, len(ARKIT_NAMES)))
    for i, row in enumerate(out):
        kind, lopsided = rng.random(), bool(rng.random() < 0.35)
        if 0.10 <= kind < 0.50:
            for act in rng.choice(len(ACTS), rng.integers(1, 4), replace=False):
                strength = 1.0 - 0.9 * rng.random() ** 1.4
                for unit, top in ACTS[act].items():
                    _put(row, unit, strength * top * rng.uniform(0.6, 1.1), rng, lopsided)
        elif 0.50 <= kind < 0.67:
            _put(row, str(rng.choice(UNITS)), 1.0 - 0.85 * rng.random() ** 1.5, rng, lopsided)
        elif kind >= 0.67:
            for unit in rng.choice(UNITS, rng.integers(3, 9), replace=False):
                _put(row, str(unit), rng.random() ** 1.2, rng, lopsided)
        _eyes(row, rng, kind < 0.05)
        out[i] = _tidy(row, rng)
    return out
