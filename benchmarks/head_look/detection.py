# SPDX-License-Identifier: Apache-2.0
"""Does MediaPipe see a face in pictures of random people, expressions and lights?

Pictures are Cycles renders of what the add-on builds. They are kept, so an interrupted run goes on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.parameters import ARKIT_NAMES

__all__ = ["measure_detection", "render_people"]

SIZE, EXTENT = 192, 0.30
PEOPLE_A_HEAD = 5  # pictures of each person: building one costs as much as two pictures
_TURN = 30.0  # degrees, furthest to a side


def _weights(rng: np.random.Generator) -> dict[str, float]:
    """A few of the 52 at random, most of them on both sides; eyes are looked out of, not only at."""
    names = rng.choice([n.removesuffix("Left").removesuffix("Right") for n in ARKIT_NAMES], 3, replace=False)
    out: dict[str, float] = {"jawOpen": float(max(0.0, rng.normal(0.0, 0.3)))}
    for name in names:
        value = float(rng.uniform(0.2, 1.0))
        sides = [name] if name in ARKIT_NAMES else [name + "Left", name + "Right"]
        out |= {n: value for n in sides if n in ARKIT_NAMES}
    return {n: min(1.0, v) for n, v in out.items()}


def _relight(studio: Any, rng: np.random.Generator) -> None:
    """Another key, fill and sky: from soft and even to one hard lamp from a side."""
    import bpy
    from mathutils import Vector

    for name, watts in (("Key", rng.uniform(10, 60)), ("Fill", rng.uniform(0.5, 16)), ("Rim", rng.uniform(0, 40))):
        lamp: Any = bpy.data.objects[name]
        lamp.data.energy = watts
        if name == "Key":
            angle, height = rng.uniform(-1.3, 1.3), rng.uniform(-0.2, 1.2)
            lamp.location = (1.4 * np.sin(angle), -1.4 * np.cos(angle), height)
            lamp.data.size = lamp.data.size_y = rng.uniform(0.1, 1.2)
            lamp.rotation_euler = Vector(lamp.location).to_track_quat("Z", "Y").to_euler()
    studio.scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = float(rng.uniform(0.08, 0.7))


def render_people(model: HeadModel, folder: Path, count: int, samples: int = 10, threads: int = 0) -> None:
    """Write ``count`` pictures NUMBER.png and the truth about each, NUMBER.json, into ``folder``; skip those there."""
    from .dressing import Person
    from .studio import Studio
    from .subject import Pose, Subject

    studio, subject = Studio(SIZE, samples, threads), Subject(model)
    for number in range(count):
        path = folder / f"{number:04d}.png"
        if path.exists() and path.with_suffix(".json").exists():
            continue
        rng = np.random.default_rng(10_000 + number)
        person = Person(1 + number // PEOPLE_A_HEAD)
        pose = Pose(_weights(rng), float(rng.uniform(-_TURN, _TURN)), float(rng.uniform(-12, 12)))
        subject.become(person)
        subject.pose(pose)
        _relight(studio, rng)
        target = subject.place("head", pose) + rng.uniform(-0.02, 0.02, 3)
        studio.aim(target, EXTENT)
        studio.render(path)
        path.with_suffix(".json").write_text(json.dumps({"weights": pose.weights, "yaw": pose.yaw}))


def measure_detection(folder: Path, count: int) -> dict[str, Any]:
    """Share of the pictures in which the detector finds a face, and which it misses."""
    from PIL import Image

    from training.data.detection import PictureDetector

    missed = []
    with PictureDetector("facemesh") as detector:
        for number in range(count):
            picture: npt.NDArray[np.uint8] = np.asarray(Image.open(folder / f"{number:04d}.png").convert("RGB"))
            if detector(picture) is None:
                missed.append(number)
    return {"pictures": count, "found": count - len(missed), "share": round(1 - len(missed) / count, 4),
            "missed": missed[:20]}  # fmt: skip
