# SPDX-License-Identifier: Apache-2.0
"""Clips of the open head with a known performance: random people, mixed, lopsided, extreme, with turning heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES

__all__ = ["SyntheticClip", "performance_weights", "render_clip", "synthetic_clip"]

Floats = npt.NDArray[np.floating[Any]]
SIZE = 384

# Left-right pairs that people mostly use together; a third of the events are one-sided on purpose.
_ALONE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
_PAIRS = tuple(
    (n, n.replace("Left", "Right")) for n in ARKIT_NAMES if n.endswith("Left") and "Look" not in n and n not in _ALONE
)
_SINGLES = (*(n for n in ARKIT_NAMES if not n.endswith(("Left", "Right"))), *_ALONE)
# What no face does at once.
_EXCLUSIVE = (
    ("mouthSmileLeft", "mouthFrownLeft"), ("mouthSmileRight", "mouthFrownRight"), ("eyeWideLeft", "eyeBlinkLeft"),
    ("eyeWideRight", "eyeBlinkRight"), ("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"),
    ("browInnerUp", "browDownLeft"), ("browInnerUp", "browDownRight"),
    ("browOuterUpLeft", "browDownLeft"), ("browOuterUpRight", "browDownRight"),
    ("mouthPucker", "mouthSmileLeft"), ("mouthPucker", "mouthSmileRight"), ("mouthFunnel", "mouthPucker"),
    ("tongueOut", "mouthClose"),
)  # fmt: skip


@dataclass(frozen=True)
class SyntheticClip:
    """A performance: (N, 52) weights and the parameter groups that pose the head, camera for a SIZE x SIZE frame."""

    weights: Floats
    parameters: dict[str, Floats]
    times: Floats
    seed: int


def performance_weights(rng: np.random.Generator, frames: int, rate: float = 25.0) -> Floats:
    """(frames, 52) weights: neutral at the start, then overlapping events with eased flanks, some at full strength."""
    weights = np.zeros((frames, 52))
    t = np.arange(frames) / rate

    def ease(start: float, rise: float, hold: float, fall: float) -> Floats:
        up = np.clip((t - start) / rise, 0, 1)
        down = np.clip((t - start - rise - hold) / fall, 0, 1)
        return (up * up * (3 - 2 * up)) * (1 - down * down * (3 - 2 * down))

    end = t[-1]
    for _ in range(max(3, int(5.5 * end))):
        shape = ease(rng.uniform(0.3, end), rng.uniform(0.12, 0.4), rng.uniform(0.1, 0.6), rng.uniform(0.12, 0.5))
        peak = 1.0 if rng.random() < 0.25 else rng.uniform(0.3, 1.0)
        if rng.random() < 0.5:
            left, right = _PAIRS[rng.integers(len(_PAIRS))]
            sides = [1.0, 1.0]
            if rng.random() < 0.33:
                sides[rng.integers(2)] = rng.uniform(0, 0.4)
            for name, side in zip((left, right), sides, strict=True):
                weights[:, ARKIT_INDEX[name]] = np.maximum(weights[:, ARKIT_INDEX[name]], peak * side * shape)
        else:
            name = "jawOpen" if rng.random() < 0.25 else _SINGLES[rng.integers(len(_SINGLES))]
            weights[:, ARKIT_INDEX[name]] = np.maximum(weights[:, ARKIT_INDEX[name]], peak * shape)
    for start in np.cumsum(rng.exponential(2.0, 8)) + 0.3:  # blinks
        blink = ease(float(start), 0.1, 0.04, 0.16)
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            weights[:, ARKIT_INDEX[name]] = np.maximum(weights[:, ARKIT_INDEX[name]], blink)
    for first, second in _EXCLUSIVE:
        a, b = weights[:, ARKIT_INDEX[first]], weights[:, ARKIT_INDEX[second]]
        weights[:, ARKIT_INDEX[second]] = np.where(a > 0, np.maximum(0, b - a), b)
    # tongueOut and mouthClose need an open jaw to make sense.
    jaw = weights[:, ARKIT_INDEX["jawOpen"]]
    jaw[:] = np.maximum(jaw, 0.35 * weights[:, ARKIT_INDEX["tongueOut"]])
    weights[:, ARKIT_INDEX["mouthClose"]] = np.minimum(weights[:, ARKIT_INDEX["mouthClose"]], jaw)
    pitch, yaw = (_wander(rng, frames, rate, 0.9) for _ in range(2))
    far = np.maximum(np.hypot(pitch, yaw), 1.0)  # eyes do not reach the corners of their range
    pitch, yaw = pitch / far, yaw / far
    for side, out in (("Left", 1), ("Right", -1)):
        weights[:, ARKIT_INDEX["eyeLookDown" + side]] = np.clip(pitch, 0, 1)
        weights[:, ARKIT_INDEX["eyeLookUp" + side]] = np.clip(-pitch, 0, 1)
        weights[:, ARKIT_INDEX["eyeLookOut" + side]] = np.clip(out * yaw, 0, 1)
        weights[:, ARKIT_INDEX["eyeLookIn" + side]] = np.clip(-out * yaw, 0, 1)
    return weights


def _wander(rng: np.random.Generator, frames: int, rate: float, size: float, hertz: float = 0.5) -> Floats:
    t = np.arange(frames) / rate
    waves = [np.sin(2 * np.pi * (hertz * f * t + rng.random())) / f for f in (0.5, 1.0, 1.9)]
    return size * np.sum(waves, axis=0) / 2.2


def synthetic_clip(model: HeadModel, seed: int, frames: int = 100, turn: float = np.radians(40)) -> SyntheticClip:
    """One person performing: identity drawn from the head's own prior, head turns up to ``turn`` radians of yaw."""
    rng = np.random.default_rng([77_000, seed])
    weights = performance_weights(rng, frames)
    parameters = groups_from_arkit(model, weights)
    identity = np.clip(rng.normal(size=model.identity_size), -2.5, 2.5)
    yaw = _wander(rng, frames, 25, 1.0, 0.3)
    yaw *= turn / max(np.abs(yaw).max(), 1e-6)
    parameters |= {
        "identity": np.repeat(identity[None], frames, axis=0),
        "rotation": np.stack([_wander(rng, frames, 25, 0.2), yaw, _wander(rng, frames, 25, 0.15)], axis=1),
        "camera": np.stack(
            [
                SIZE * (3.0 + 0.15 * _wander(rng, frames, 25, 1.0, 0.2)),
                SIZE * (0.5 + 0.04 * _wander(rng, frames, 25, 1.0, 0.3)),
                SIZE * (0.5 + 0.04 * _wander(rng, frames, 25, 1.0, 0.3)),
            ],
            axis=1,
        ),
    }
    return SyntheticClip(weights, parameters, np.arange(frames) / 25, seed)


def render_clip(model: HeadModel, clip: SyntheticClip) -> Iterator[npt.NDArray[np.uint8]]:
    """(SIZE, SIZE, 3) RGB frames of the clip: a random look, one background."""
    from smirk_core.rendering.looks import Look
    from smirk_core.rendering.shading import render_head

    rng = np.random.default_rng([78_000, clip.seed])
    look = Look.random(rng)
    corners = rng.uniform(40, 220, (2, 2, 3))
    ramp = np.linspace(0, 1, SIZE)
    rows = corners[0, 0] * (1 - ramp)[:, None] + corners[0, 1] * ramp[:, None]
    background = np.clip(rows[:, None] + (corners[1, 0] - 128) * 0.3 * ramp[None, :, None], 0, 255)
    for i in range(len(clip.times)):
        one = {k: v[i : i + 1] for k, v in clip.parameters.items() if k != "camera"}
        image, alpha = render_head(model, one, clip.parameters["camera"][i], SIZE, SIZE, look)
        cover = alpha[..., None].astype(np.float32) / (255 if alpha.dtype == np.uint8 else 1)
        yield np.clip(background * (1 - cover) + image * cover + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
