# SPDX-License-Identifier: Apache-2.0
"""What is on each contact sheet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from smirk_core.groom.people import PEOPLE
from smirk_core.heads.parameters import ARKIT_NAMES

from .dressing import Person
from .studio import Engine
from .subject import Pose

__all__ = ["SHEETS", "SLOW", "Cell", "Sheet"]

WHOLE, PERSON, FACE, EYES, EYE, MOUTH = 0.31, 0.33, 0.235, 0.115, 0.062, 0.085  # metres that a picture shows


@dataclass(frozen=True)
class Cell:
    """One picture: who, doing what, what the camera shows (a part and a width in metres), drawn by what."""

    label: str
    person: Person = field(default_factory=Person)
    pose: Pose = field(default_factory=Pose)
    part: str = "head"
    extent: float = WHOLE
    engine: Engine = "cycles"
    wrinkles: bool = True


@dataclass(frozen=True)
class Sheet:
    """Pictures in rows of ``columns``; ``scale`` makes them larger than usual."""

    cells: tuple[Cell, ...]
    columns: int
    scale: float = 1.0


def _both(**weights: float) -> dict[str, float]:
    """Weights for both sides by the name without a side."""
    return {name + side: value for name, value in weights.items() for side in ("Left", "Right")}


EXPRESSIONS: dict[str, dict[str, float]] = {
    "frown": _both(browDown=1.0, eyeSquint=0.4, noseSneer=0.25),
    "surprise": {"browInnerUp": 1.0, **_both(browOuterUp=1.0, eyeWide=0.7), "jawOpen": 0.35},
    "smile": _both(mouthSmile=1.0, cheekSquint=0.8, eyeSquint=0.5),
    "sneer": _both(noseSneer=1.0, mouthUpperUp=0.5, browDown=0.6, cheekSquint=0.4),
    "worry": {"browInnerUp": 1.0, **_both(browDown=0.4, mouthFrown=0.8)},
    "pucker": {"mouthPucker": 1.0},
}


def _neutral() -> Sheet:
    views = (("front", 0.0), ("three-quarter", 40.0), ("side", 88.0))
    return Sheet(tuple(Cell(name, pose=Pose(yaw=yaw)) for name, yaw in views), 3, 1.5)


def _people() -> Sheet:
    turns = (0.0, 28.0, -28.0, 14.0)
    cells = (
        Cell(str(k), Person(k), Pose(yaw=turns[k % 4], pitch=(k % 3 - 1) * 4.0), extent=PERSON) for k in range(1, 25)
    )
    return Sheet(tuple(cells), 8)


def _presets() -> Sheet:
    turns = (12.0, -25.0, 25.0, -12.0)
    cells = (Cell(n, Person(preset=n), Pose(p.expression, yaw=turns[k % 4]), extent=PERSON)
             for k, (n, p) in enumerate(PEOPLE.items()))  # fmt: skip
    return Sheet(tuple(cells), 8)


def _expressions() -> Sheet:
    cells = [Cell("neutral", pose=Pose(yaw=12.0), part="face", extent=FACE)]
    for name in ARKIT_NAMES:
        weights, label = {name: 1.0}, name
        if name == "mouthClose":  # a corrective: it shows only over an open jaw
            weights, label = {name: 1.0, "jawOpen": 1.0}, "mouthClose + jawOpen"
        elif name == "tongueOut":
            weights, label = {name: 1.0, "jawOpen": 0.35}, "tongueOut + jawOpen"
        cells.append(Cell(label, pose=Pose(weights, yaw=12.0), part="face", extent=FACE))
    return Sheet(tuple(cells), 9)


def _eyes() -> Sheet:
    cells = []
    for k in range(8):
        for words, weight in (("open", 0.0), ("half", 0.5), ("closed", 1.0)):
            pose = Pose(_both(eyeBlink=weight), yaw=-8.0)  # towards the lamp
            label = f"{'mean' if k == 0 else k}: {words}"
            cells.append(Cell(label, Person(k, bare=True), pose, "right_eye", EYE))
    return Sheet(tuple(cells), 6)


def _gaze() -> Sheet:
    left = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}
    right = {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0}
    looks = {"ahead": {}, "up": _both(eyeLookUp=1.0), "down": _both(eyeLookDown=1.0), "left": left, "right": right,
             "up left": {**_both(eyeLookUp=0.8), **left}, "wide": _both(eyeWide=1.0),
             "squint": _both(eyeSquint=1.0)}  # fmt: skip
    return Sheet(tuple(Cell(n, pose=Pose(w), part="eyes", extent=EYES) for n, w in looks.items()), 4)


def _mouth() -> Sheet:
    shapes: dict[str, dict[str, float]] = {
        "neutral": {},
        "jawOpen .3": {"jawOpen": 0.3},
        "jawOpen 1": {"jawOpen": 1.0},
        "mouthClose + jawOpen": {"jawOpen": 1.0, "mouthClose": 1.0},
        "smile": _both(mouthSmile=1.0),
        "laugh": {**_both(mouthSmile=1.0, mouthUpperUp=0.4), "jawOpen": 0.4},
        "bared teeth": _both(mouthUpperUp=1.0, mouthLowerDown=1.0),
        "pucker": {"mouthPucker": 1.0},
        "funnel": {"mouthFunnel": 1.0, "jawOpen": 0.25},
        "roll": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
        "tongue": {"tongueOut": 1.0, "jawOpen": 0.35},
        "jaw left": {"jawLeft": 1.0, "jawOpen": 0.2},
    }
    return Sheet(tuple(Cell(n, pose=Pose(w, yaw=10.0), part="mouth", extent=MOUTH) for n, w in shapes.items()), 6)


def _wrinkles() -> Sheet:
    rows = []
    for on in (False, True):
        for name, weights in EXPRESSIONS.items():
            label = f"{name}, {'wrinkles' if on else 'without'}"
            rows.append(Cell(label, pose=Pose(weights, yaw=12.0), part="face", extent=FACE, wrinkles=on))
    return Sheet(tuple(rows), 6, 1.3)


def _viewport() -> Sheet:
    poses = {"neutral": Pose(yaw=20.0), "smile": Pose(EXPRESSIONS["smile"], yaw=-20.0),
             "surprise": Pose(EXPRESSIONS["surprise"], yaw=20.0)}  # fmt: skip
    return Sheet(tuple(Cell(name, pose=pose, engine="solid") for name, pose in poses.items()), 3, 1.5)


def _preview() -> Sheet:
    return Sheet((Cell("front", engine="preview"), Cell("three-quarter", pose=Pose(yaw=30.0), engine="preview")), 2)


SHEETS: dict[str, tuple[Callable[[], Sheet], str]] = {
    "neutral": (_neutral, "the mean head from three sides"),
    "people": (_people, "24 random people"),
    "presets": (_presets, "the people that the add-on offers"),
    "expressions": (_expressions, "ARKit's 52 at full weight"),
    "eyes": (_eyes, "one eye open, half and fully closed, eight people"),
    "gaze": (_gaze, "both eyes, eight directions and lids"),
    "mouth": (_mouth, "the mouth close up, twelve shapes"),
    "wrinkles": (_wrinkles, "six expressions without and with wrinkles"),
    "viewport": (_viewport, "Blender's solid view, drawn by Workbench"),
    "preview": (_preview, "EEVEE; minutes a picture without a graphics card, so only where asked for"),
}
SLOW = ("preview",)
