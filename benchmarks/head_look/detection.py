# SPDX-License-Identifier: Apache-2.0
"""Does MediaPipe see a face in pictures of random people, expressions and lights?

Pictures come from the engine's own renderer, a tenth of a second each: Cycles takes fifty times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.rendering.head_sheets import arkit_groups, random_identities
from smirk_core.rendering.overlay import blend
from smirk_core.rendering.shading import Look, render_vertices

__all__ = ["measure_detection", "random_picture"]

Picture = npt.NDArray[np.uint8]
SIZE, EXTENT = 256, 0.30  # pixels, metres
_TURN, _NOD = 30.0, 12.0  # degrees, furthest


def random_weights(rng: np.random.Generator) -> dict[str, float]:
    """An open jaw now and then, and three of ARKit's 52, on both sides where there are two."""
    stems = dict.fromkeys(n.removesuffix("Left").removesuffix("Right") for n in ARKIT_NAMES)
    weights = {"jawOpen": float(np.clip(rng.normal(0.0, 0.3), 0, 1))}
    for stem in rng.choice(list(stems), 3, replace=False):
        value = float(rng.uniform(0.2, 1.0))
        weights |= {name: value for name in (stem, stem + "Left", stem + "Right") if name in ARKIT_NAMES}
    return weights


def random_picture(model: HeadModel, number: int) -> Picture:
    """(256, 256, 3): a person, a performance, a turn, paint and lamps, all at random, the same for a number."""
    rng = np.random.default_rng(10_000 + number)
    turn = np.radians([[rng.uniform(-_NOD, _NOD), rng.uniform(-_TURN, _TURN), rng.uniform(-8, 8)]])
    groups = {**arkit_groups(model, random_weights(rng)), "rotation": turn}
    groups["identity"] = random_identities(model, 1, seed=number)
    vertices = np.asarray(decode(model, groups).vertices[0])
    face = vertices[model.regions["face"]]
    middle = (face.min(axis=0) + face.max(axis=0))[:2] / 2 + rng.uniform(-0.02, 0.02, 2)
    scale, centre = SIZE / EXTENT * rng.uniform(0.8, 1.2), (SIZE - 1) / 2
    camera = np.array([scale, centre - scale * middle[0], centre + scale * middle[1]])
    image, alpha = render_vertices(model, vertices, camera, SIZE, SIZE, Look.random(rng))
    wall = np.full((SIZE, SIZE, 3), rng.integers(20, 200, 3), np.uint8)
    return blend(wall, image, alpha)


def measure_detection(model: HeadModel, count: int) -> dict[str, Any]:
    """Share of ``count`` pictures in which the detector finds a face, and which it misses."""
    from training.data.detection import PictureDetector

    with PictureDetector("facemesh") as detector:
        missed = [number for number in range(count) if detector(random_picture(model, number)) is None]
    return {"pictures": count, "found": count - len(missed), "share": round(1 - len(missed) / count, 4),
            "missed": missed[:20]}  # fmt: skip
