# SPDX-License-Identifier: Apache-2.0
"""Contact sheets that show what a head can do: ``python -m smirk_core.rendering.head_sheets -o DIR``.

Sheets: ``neutral`` from three sides, ``identities`` (16 at random), ``expressions`` (ARKit's 52 at full weight),
``blinks`` (a quarter to closed, eight identities close up), ``gaze``, ``mouth`` (the jaw opening over teeth and
tongue) and ``people`` (16 random looks).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SmirkError
from ..heads.arkit import ARKIT_INDEX, groups_from_arkit
from ..heads.decode import decode
from ..heads.head_model import HeadModel
from ..heads.library import load_head
from ..heads.parameters import ARKIT_NAMES
from ..progress import Progress, silent
from .overlay import blend
from .shading import Look, render_vertices
from .sheets import contact_sheet, save_picture

__all__ = ["SHEETS", "head_sheet", "head_sheets", "random_identities"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]
Cells = tuple[list[Picture], list[str], int]  # pictures, labels, columns


def random_identities(model: HeadModel, count: int, seed: int = 0, spread: float = 0.95) -> Floats:
    """(count, K) random people: normal with standard deviation ``spread``, cut at 2.2."""
    draw = np.random.default_rng(seed).normal(0, spread, (count, model.identity_size))
    return np.clip(draw, -2.2, 2.2).astype(np.float32)


def arkit_groups(model: HeadModel, weights: Mapping[str, float]) -> dict[str, Floats]:
    """Parameter groups of one frame from ARKit weights by name.

    Raises:
        KeyError: a name that is not ARKit's.
    """
    row = np.zeros((1, len(ARKIT_NAMES)))
    for name, value in weights.items():
        row[0, ARKIT_INDEX[name]] = value
    return groups_from_arkit(model, row)


class _Painter:
    """Renders posed heads of one model into square cells with one fixed camera per sheet."""

    def __init__(self, model: HeadModel, size: int) -> None:
        self.model, self.size = model, size
        self.grey = np.full((size, size, 3), 72, np.uint8)

    def camera(self, centre: Sequence[float], extent: float) -> Floats:
        """A camera that shows a square of ``extent`` metres around the point ``centre`` (x, y)."""
        scale, middle = self.size / extent, (self.size - 1) / 2
        return np.array([scale, middle - scale * centre[0], middle + scale * centre[1]])

    def whole(self) -> Floats:
        """A camera that shows the mean head, without most of its neck."""
        points = self.model.template
        low, high = points.min(axis=0), points.max(axis=0)
        extent = 0.92 * float(high[1] - low[1])
        return self.camera((0.0, float(high[1]) + 0.03 * extent - extent / 2), extent)

    def near(self, region: str, extent: float) -> Floats:
        """A camera close up on a region of the mean head (or on the whole head where the model has no such region)."""
        if region not in self.model.regions or not self.model.regions[region].any():
            return self.whole()
        points = self.model.template[self.model.regions[region]]
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        return self.camera((float(middle[0]), float(middle[1])), extent)

    def __call__(self, groups: Mapping[str, Floats], camera: Floats, look: Look | None = None) -> Picture:
        one = {k: np.atleast_2d(v) for k, v in groups.items()}
        vertices = np.asarray(decode(self.model, one).vertices[0])
        image, alpha = render_vertices(self.model, vertices, camera, self.size, self.size, look or Look.clay())
        return blend(self.grey, image, alpha)


def _turned(groups: Mapping[str, Floats], yaw: float, pitch: float = 0.0) -> dict[str, Floats]:
    return {**groups, "rotation": np.radians([[pitch, yaw, 0.0]])}


def _neutral(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    views = (("front", 0.0), ("three-quarter", 40.0), ("side", 90.0))
    clay = [paint(_turned({}, yaw), paint.whole()) for _, yaw in views]
    person = [paint(_turned({}, yaw), paint.whole(), Look()) for _, yaw in views]
    return clay + person, [name for name, _ in views] * 2, 3


def _identities(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    people = random_identities(model, 16)
    cells = [paint(_turned({"identity": person}, 20.0), paint.whole()) for person in people]
    return cells, [f"identity {k}" for k in range(16)], 8


def _expressions(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    camera, look = paint.near("nose", 0.21), Look(hair=0.0)
    cells, labels = [paint(_turned({}, 12.0), camera, look)], ["neutral"]
    for name in ARKIT_NAMES:
        pose = arkit_groups(model, {name: 1.0})
        if name == "mouthClose":  # a corrective: it shows only over an open jaw
            pose, name = arkit_groups(model, {name: 1.0, "jawOpen": 1.0}), "mouthClose + jawOpen"
        cells.append(paint(_turned(pose, 12.0), camera, look))
        labels.append(name)
    return cells, labels, 9


def _blinks(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    people = np.concatenate([np.zeros((1, model.identity_size), np.float32), random_identities(model, 7, seed=3)])
    cells, labels = [], []
    for number, person in enumerate(people):
        # Aim at this person's own left eye.
        joint = decode(model, {"identity": person[None]}).joints[0, model.joint_names.index("left_eye")]
        camera = paint.camera((float(joint[0]), float(joint[1])), 0.062)
        for weight in (0.0, 0.25, 0.5, 0.75, 1.0):
            pose = arkit_groups(model, {"eyeBlinkLeft": weight, "eyeBlinkRight": weight})
            cells.append(paint({**_turned(pose, 8.0), "identity": person}, camera, Look(hair=0.0)))
            labels.append(f"{'mean' if number == 0 else number}: {weight:g}")
    return cells, labels, 10


def _gaze(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    camera = paint.near("eyes", 0.12)
    looks = {
        "ahead": {},
        "up": {"eyeLookUpLeft": 1.0, "eyeLookUpRight": 1.0},
        "down": {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0},
        "to the left": {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
        "to the right": {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
        "crossed": {"eyeLookInLeft": 1.0, "eyeLookInRight": 1.0},
        "wide": {"eyeWideLeft": 1.0, "eyeWideRight": 1.0},
        "squint": {"eyeSquintLeft": 1.0, "eyeSquintRight": 1.0},
    }
    cells = [paint(arkit_groups(model, weights), camera, Look(hair=0.0)) for weights in looks.values()]
    return cells, list(looks), 4


def _mouth(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    camera = paint.near("lips", 0.1)
    shapes: dict[str, dict[str, float]] = {
        "neutral": {},
        "jawOpen .15": {"jawOpen": 0.15},
        "jawOpen .4": {"jawOpen": 0.4},
        "jawOpen 1": {"jawOpen": 1.0},
        "mouthClose": {"jawOpen": 1.0, "mouthClose": 1.0},
        "smile": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
        "laugh": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "jawOpen": 0.45},
        "bared teeth": {"mouthUpperUpLeft": 1.0, "mouthUpperUpRight": 1.0, "mouthLowerDownLeft": 1.0,
                        "mouthLowerDownRight": 1.0},
        "pucker": {"mouthPucker": 1.0},
        "funnel": {"mouthFunnel": 1.0, "jawOpen": 0.3},
        "tongue": {"tongueOut": 1.0, "jawOpen": 0.4},
        "jaw left": {"jawLeft": 1.0, "jawOpen": 0.2},
    }  # fmt: skip
    cells = [paint(_turned(arkit_groups(model, w), 10.0), camera, Look()) for w in shapes.values()]
    return cells, list(shapes), 6


def _people(model: HeadModel, size: int) -> Cells:
    paint = _Painter(model, size)
    rng = np.random.default_rng(5)
    cells = []
    for person in random_identities(model, 16, seed=8):
        yaw, pitch = rng.normal(0, 16), rng.normal(0, 6)
        weights = {"jawOpen": max(0.0, rng.normal(0, 0.25))}
        for name in ("mouthSmile", "eyeBlink", "browDown", "browOuterUp"):
            value = max(0.0, rng.normal(0.05, 0.25))
            weights |= {name + side: min(1.0, value) for side in ("Left", "Right")}
        pose = {**_turned(arkit_groups(model, weights), yaw, pitch), "identity": person}
        cells.append(paint(pose, paint.whole(), Look.random(rng)))
    return cells, [], 8


SHEETS: dict[str, tuple[Callable[[HeadModel, int], Cells], int]] = {
    "neutral": (_neutral, 480),
    "identities": (_identities, 240),
    "expressions": (_expressions, 220),
    "blinks": (_blinks, 200),
    "gaze": (_gaze, 320),
    "mouth": (_mouth, 280),
    "people": (_people, 240),
}


def head_sheet(model: HeadModel, name: str, size: int | None = None) -> Picture:
    """One contact sheet of :data:`SHEETS` as a (H, W, 3) picture; ``size`` replaces the cell size in pixels."""
    make, usual = SHEETS[name]
    cells, labels, columns = make(model, size or usual)
    return contact_sheet(cells, columns, labels)


def head_sheets(
    folder: str | Path, model: HeadModel | None = None, names: Sequence[str] = (), progress: Progress = silent
) -> list[Path]:
    """Write contact sheets as ``FOLDER/NAME.png``; all of :data:`SHEETS` where no names are given.

    Raises:
        AssetError: the head cannot be read.
        ExportError: a file cannot be written.
    """
    model = load_head() if model is None else model
    names = list(names) or list(SHEETS)
    written = []
    for done, name in enumerate(names):
        progress(f"Rendering the sheet {name}", done, len(names))
        written.append(save_picture(head_sheet(model, name), Path(folder) / f"{name}.png"))
    progress("Sheets written", len(names), len(names))
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m smirk_core.rendering.head_sheets", description=__doc__)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the sheets")
    parser.add_argument("--head", default="open", help="'open' or a head file")
    parser.add_argument("sheets", nargs="*", metavar="SHEET", help=f"any of {', '.join(SHEETS)}; all by default")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sheets if name not in SHEETS]
    if unknown:
        parser.error(f"there is no sheet {', '.join(unknown)}; choose among {', '.join(SHEETS)}")
    try:
        for path in head_sheets(options.output, load_head(options.head), options.sheets):
            sys.stdout.write(f"{path}\n")
    except SmirkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
