# SPDX-License-Identifier: Apache-2.0
"""Renders the demo clip with its true take, and a test portrait: ``python -m smirk_core.rendering.demo_clip``.

The performance is known exactly, so that tracking the clip tells its own error. Sound is a soft hum whose loudness
follows the jaw, so that sync can be heard and tested.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from .. import __version__
from ..errors import SmirkError
from ..heads.arkit import ARKIT_INDEX, groups_from_arkit
from ..heads.decode import decode
from ..heads.head_model import HeadModel
from ..heads.library import load_head
from ..heads.parameters import ARKIT_NAMES
from ..progress import Progress, silent
from ..take import Take, TakeInfo
from .head_sheets import random_identities
from .overlay import blend
from .scenery import backdrop, shirt
from .shading import Look, render_vertices
from .sheets import save_picture
from .video_writer import VideoWriter, samples_as_sound

__all__ = ["DEMO_FOLDER", "demo_take", "render_demo", "render_portrait"]

Floats = npt.NDArray[np.floating[Any]]
Picture = npt.NDArray[np.uint8]

DEMO_FOLDER = Path(__file__).parent.parent / "assets" / "demo"
RATE = 25.0
SECONDS = 6.0
SIZE = 480
SAMPLES = 24000  # Hz

# ARKit name (or head angle in degrees) -> (second, value) pairs; smooth and without overshoot in between, held
# before the first and after the last. A name without a side drives both.
_CURVES: dict[str, list[tuple[float, float]]] = {
    "yaw": [(0.4, 0), (1.5, 25), (2.4, 2), (3.5, -25), (4.5, 0), (5.2, 4), (5.9, 0)],
    "pitch": [(0.4, 0), (1.1, -6), (2.1, 7), (3.0, 0), (4.3, -7), (5.3, 5), (5.9, 0)],
    "roll": [(0.5, 0), (1.4, 6), (2.6, -2), (3.6, -6), (4.6, 0)],
    "jawOpen": [(1.9, 0), (2.12, 0.55), (2.3, 0.1), (2.52, 0.8), (2.74, 0.12), (2.96, 0.45), (3.14, 0.05),
                (3.34, 0.6), (3.55, 0), (4.75, 0), (5.0, 0.35), (5.35, 0.3), (5.7, 0)],
    "mouthSmile": [(0.6, 0), (1.0, 0.85), (1.6, 0.8), (2.0, 0.1), (2.3, 0), (4.55, 0), (4.95, 0.95), (5.4, 0.9),
                   (5.8, 0.1), (6.0, 0.05)],
    "cheekSquint": [(0.6, 0), (1.0, 0.4), (1.6, 0.4), (2.0, 0), (4.55, 0), (4.95, 0.6), (5.4, 0.5), (5.8, 0)],
    "mouthFunnel": [(2.65, 0), (2.96, 0.75), (3.2, 0)],
    "mouthPucker": [(3.5, 0), (3.8, 0.9), (4.05, 0.85), (4.35, 0)],
    "mouthStretch": [(2.0, 0), (2.12, 0.35), (2.3, 0)],
    "mouthUpperUp": [(4.7, 0), (5.0, 0.45), (5.4, 0.4), (5.7, 0)],
    "browInnerUp": [(2.2, 0), (2.45, 0.85), (2.8, 0.8), (3.1, 0)],
    "browOuterUp": [(2.2, 0), (2.45, 0.8), (2.8, 0.75), (3.1, 0), (4.7, 0), (5.0, 0.3), (5.5, 0)],
    "browDown": [(3.6, 0), (3.95, 0.85), (4.25, 0.8), (4.6, 0)],
    "mouthFrown": [(3.95, 0), (4.25, 0.6), (4.5, 0.5), (4.65, 0)],
    "eyeLookOutLeft": [(0.9, 0), (1.2, 0.55), (1.7, 0.5), (2.0, 0)],
    "eyeLookInRight": [(0.9, 0), (1.2, 0.55), (1.7, 0.5), (2.0, 0)],
    "eyeLookInLeft": [(3.0, 0), (3.3, 0.5), (3.7, 0.45), (3.9, 0)],
    "eyeLookOutRight": [(3.0, 0), (3.3, 0.5), (3.7, 0.45), (3.9, 0)],
    "eyeLookUp": [(4.0, 0), (4.25, 0.4), (4.5, 0)],
}  # fmt: skip
_BLINKS = (
    (0.32, 1.0, 1.0),
    (1.86, 1.0, 1.0),
    (3.18, 1.0, 1.0),
    (4.62, 1.0, 1.0),
    (5.62, 0.95, 0.0),
)  # time, left, right
_LEFT_MORE = {"mouthSmile": 1.0, "cheekSquint": 1.0}  # the second smile is lopsided, see below


def _curve(keys: list[tuple[float, float]], times: Floats) -> Floats:
    at, values = np.array(keys, float).T
    return PchipInterpolator(at, values)(np.clip(times, at[0], at[-1]))


def _weights(times: Floats) -> Floats:
    """(N, 52) ARKit weights of the performance."""
    weights = np.zeros((len(times), len(ARKIT_NAMES)))
    for name, keys in _CURVES.items():
        for side in ("", "Left", "Right"):
            if name + side in ARKIT_INDEX:
                values = _curve(keys, times)
                if name in _LEFT_MORE and side == "Right":  # the second smile is a lopsided one
                    values = values * (1 - 0.5 * _curve([(4.4, 0), (4.8, 1), (5.8, 1), (6.0, 0)], times))
                weights[:, ARKIT_INDEX[name + side]] += values
    for moment, left, right in _BLINKS:
        # Lids fall in about 0.1 s and rise in twice that.
        shut = _curve([(moment - 0.12, 0), (moment, 1), (moment + 0.04, 1), (moment + 0.26, 0)], times)
        for side, strength in (("Left", left), ("Right", right)):
            column = weights[:, ARKIT_INDEX["eyeBlink" + side]]
            np.maximum(column, strength * shut, out=column)
    return np.clip(weights, 0, 1)


def demo_take(model: HeadModel, seed: int = 14, *, width: int = SIZE, height: int = SIZE) -> Take:
    """The known performance: six seconds of head turns, vowels, smiles, a frown, a pucker, gaze and blinks.

    Args:
        model: the head that plays it.
        seed: picks the person.
        width, height: size of the picture that the camera is made for.
    """
    times = np.arange(round(SECONDS * RATE)) / RATE
    groups = groups_from_arkit(model, _weights(times))
    yaw, pitch, roll = (np.radians(_curve(_CURVES[k], times)) for k in ("yaw", "pitch", "roll"))
    identity = random_identities(model, 1, seed, spread=0.7)[0]
    neutral = np.asarray(decode(model, {"identity": identity[None]}).vertices[0])
    top = float(neutral[:, 1].max())
    scale = 0.8 * height / (top + 0.115)  # crown to throat takes four fifths of the picture
    sway = np.stack([6 * np.sin(2 * np.pi * times / 5.0), 3 * np.sin(2 * np.pi * times / 3.0 + 1)], axis=1)
    sway *= np.clip(times / 0.8, 0, 1)[:, None] * width / SIZE
    frames = len(times)
    groups |= {
        "rotation": np.stack([pitch, yaw, roll], axis=1),
        "neck": np.zeros((frames, 3)),
        "camera": np.stack(
            [np.full(frames, scale), width / 2 + sway[:, 0], 0.1 * height + scale * top + sway[:, 1]], axis=1
        ),
        "confidence": np.ones((frames, 1)),
        "visibility": np.ones((frames, 1)),
    }
    raw = {name: np.asarray(values, np.float32) for name, values in groups.items()}
    info = TakeInfo(
        kind="video", rate=RATE, width=width, height=height, head=model.name, head_digest=model.digest,
        software=f"smirk {__version__}", notes="the true performance of a rendered clip",
    )  # fmt: skip
    return Take(info, times, identity, raw, raw)


def _hum(take: Take) -> Floats:
    """Mono samples: a soft voice-like hum, as loud as the jaw is open."""
    time = np.arange(round(SECONDS * SAMPLES)) / SAMPLES
    jaw = np.interp(time, take.times, take.raw["jaw"][:, 0])
    loud = np.clip(jaw / max(float(jaw.max()), 1e-6), 0, 1) ** 0.7
    pitch = 150 + 25 * loud + 4 * np.sin(2 * np.pi * 5 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLES
    voice = sum(np.sin(k * phase) * strength for k, strength in ((1, 1.0), (2, 0.5), (3, 0.3), (4, 0.22), (5, 0.12)))
    return np.asarray(0.12 * loud * voice)


def _person(seed: int) -> Look:
    """A friendly light on a plain person; the seed only moves the noise."""
    return Look(
        skin=(0.86, 0.66, 0.55), hair_colour=(0.20, 0.14, 0.10), iris=(0.36, 0.30, 0.20), hair_volume=0.011,
        key_direction=(-0.55, 0.5, 0.85), key=(0.72, 0.68, 0.62), fill=(0.14, 0.15, 0.17), flush=0.5, sockets=0.4,
        freckles=0.15, seed=seed,
    )  # fmt: skip


class _Scene:
    """A head before a room, in a shirt."""

    def __init__(self, model: HeadModel, look: Look, seed: int, size: int) -> None:
        rng = np.random.default_rng(seed)
        self.model, self.look, self.size = model, look, size
        self.room = backdrop(rng, size, size)
        self.cloth = rng.integers(1 << 30)

    def __call__(self, vertices: Floats, camera: Floats, throat: tuple[float, float]) -> Picture:
        """Paint; ``throat`` is where the collar hangs, in pixels."""
        image, alpha = render_vertices(self.model, vertices, camera, self.size, self.size, self.look)
        half = 0.062 * float(camera[0])
        cloth, over = shirt(np.random.default_rng(self.cloth), self.size, self.size, throat, half)
        return blend(blend(self.room, image, alpha), cloth, over)


def _throat(neutral: Floats, camera: Floats) -> tuple[float, float]:
    """Where the collar hangs for a head that looks straight ahead."""
    scale, tx, ty = (float(c) for c in camera)
    low = float(neutral[:, 1].min())
    return tx, ty - scale * (low + 0.028)


def render_demo(
    folder: str | Path = DEMO_FOLDER, model: HeadModel | None = None, *, seed: int = 14, progress: Progress = silent
) -> tuple[Path, Path]:
    """Write ``demo.mp4`` and its truth ``demo.take.npz``.

    Returns:
        Both paths.

    Raises:
        AssetError: the head cannot be read.
        ExportError, TakeError: a file cannot be written.
    """
    model = load_head() if model is None else model
    folder = Path(folder)
    take = demo_take(model, seed)
    scene = _Scene(model, _person(seed), seed, SIZE)
    neutral = np.asarray(decode(model, {"identity": take.identity[None]}).vertices[0])
    parameters = {k: v for k, v in take.parameters().items() if k not in ("camera", "confidence", "visibility")}
    clip = folder / "demo.mp4"
    sound = samples_as_sound(_hum(take), SAMPLES)
    with VideoWriter(clip, SIZE, SIZE, RATE, sound=sound, quality=25, preset="slow") as writer:
        for number, time in enumerate(take.times):
            one = {name: values[number : number + 1] for name, values in parameters.items()}
            vertices = np.asarray(decode(model, one).vertices[0])
            camera = take.raw["camera"][number]
            # Shoulders follow the head's sway, not its turns.
            writer.write(scene(vertices, camera, _throat(neutral, camera)), float(time))
            progress("Rendering the demo clip", number + 1, len(take))
    return clip, take.save(folder / "demo.take.npz")


def render_portrait(path: str | Path, model: HeadModel | None = None, *, seed: int = 5, size: int = 512) -> Path:
    """Write a picture of a quietly smiling person, for tests that need a face.

    Raises:
        AssetError: the head cannot be read.
        ExportError: the file cannot be written.
    """
    model = load_head() if model is None else model
    weights = np.zeros((1, len(ARKIT_NAMES)))
    for name, value in (("mouthSmileLeft", 0.4), ("mouthSmileRight", 0.4), ("browInnerUp", 0.15)):
        weights[0, ARKIT_INDEX[name]] = value
    identity = random_identities(model, 1, seed, spread=0.7)
    neutral = np.asarray(decode(model, {"identity": identity}).vertices[0])
    groups = groups_from_arkit(model, weights) | {"identity": identity, "rotation": np.radians([[0.0, 8.0, 1.0]])}
    vertices = np.asarray(decode(model, groups).vertices[0])
    top = float(neutral[:, 1].max())
    scale = 0.82 * size / (top + 0.115)
    camera = np.array([scale, size / 2, 0.09 * size + scale * top])
    look = replace(
        _person(seed), skin=(0.80, 0.60, 0.48), hair_colour=(0.13, 0.10, 0.08), key_direction=(0.5, 0.5, 0.85)
    )
    return save_picture(_Scene(model, look, seed, size)(vertices, camera, _throat(neutral, camera)), path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m smirk_core.rendering.demo_clip", description=__doc__)
    parser.add_argument("-o", "--output", default=DEMO_FOLDER, metavar="DIR", help="folder of clip and take")
    parser.add_argument("--portrait", metavar="PNG", help="also write the test portrait there")
    parser.add_argument("--seed", type=int, default=14, help="picks the person")
    options = parser.parse_args(arguments)
    try:
        written = list(render_demo(options.output, seed=options.seed))
        if options.portrait:
            written.append(render_portrait(options.portrait))
    except SmirkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for path in written:
        sys.stdout.write(f"{path} ({path.stat().st_size / 1024:.0f} kB)\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
