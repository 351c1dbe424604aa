# SPDX-License-Identifier: Apache-2.0
"""A first result with nothing but this package: a real photo and a rendered clip whose true performance is known.

The photo is scikit-image's portrait of the astronaut Eileen Collins (NASA, public domain). The clip was rendered from
the bundled head; the take that moved it lies beside it, so that the demo can state its own error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from .commands.animate import scene_writer
from .commands.options import TrackOptions
from .compare import Comparison, compare
from .errors import AssetError, SmirkError
from .export.atomic import atomic, check_writable
from .heads.library import load_head
from .progress import Progress, silent
from .take import Take, load_take

__all__ = ["DEMO_FOLDER", "demo", "demo_clip", "write_photo"]

DEMO_FOLDER = Path(__file__).parent / "assets" / "demo"


def write_photo(path: Path) -> Path:
    """Write scikit-image's astronaut portrait (512 x 512 pixels) to a PNG.

    Raises:
        AssetError: scikit-image is not installed.
    """
    if find_spec("skimage") is None:
        raise AssetError(
            'The demo\'s photo comes with scikit-image, which is missing: pip install "smirk-blender[demo]"'
        )
    from PIL import Image
    from skimage import data

    with atomic(path) as temporary:
        Image.fromarray(data.astronaut()).save(temporary)
    return path


def demo_clip() -> tuple[Path, Take]:
    """The bundled clip and the take that it was rendered from.

    Raises:
        AssetError: they are not there.
    """
    clips = sorted(DEMO_FOLDER.glob("*.mp4"))
    if not clips:
        raise AssetError(f"The demo clip is missing from {DEMO_FOLDER}; install the package again.")
    return clips[0], load_take(DEMO_FOLDER / "demo.take.npz")


def _summary(result: Comparison) -> list[str]:
    """What the clip's truth says about the recovered take, for a person."""
    ranked = sorted(result.active.items(), key=lambda item: item[1].correlation, reverse=True)
    shown = [f"{name} {error.correlation:.2f}" for name, error in ranked]
    return [
        f"  against the true performance, {result.frames} frames: mean correlation {result.correlation:.3f} over "
        f"{len(ranked)} moving curves; resting curves {result.inactive_error:.3f}",
        f"  head rotation {result.rotation_degrees:.2f} degrees off; landmarks {100 * result.landmark_error:.2f} % of "
        "the outer-eye distance off",
        f"  best: {', '.join(shown[:5])}; worst: {', '.join(shown[-5:])}",
    ]


def demo(folder: str | os.PathLike[str], *, say: Callable[[str], None], progress: Progress = silent) -> list[Path]:
    """Track, preview and animate the photo and the clip, and compare the clip's take with its truth.

    Args:
        folder: where everything goes; made where it is not there.
        say: called with one line for a person at a time.
        progress: see :class:`smirk_core.progress.Progress`.

    Returns:
        The files written.

    Raises:
        SmirkError: a part of the package is missing, or a file cannot be written.
    """
    from .rendering.preview import preview

    folder = Path(folder)
    check_writable(folder / "photo.png")
    clip, truth = demo_clip()
    try:
        write_scene = scene_writer()
    except SmirkError as error:
        write_scene = None
        say(f"No .blend files: {error}")
    written = [write_photo(folder / "photo.png")]
    options = TrackOptions()
    for medium, name, picture in ((written[0], "photo", ".png"), (clip, "clip", ".mp4")):
        take = options.run(str(medium), progress)[0]
        written.append(take.save(folder / f"{name}.take.npz"))
        written.append(preview(take, folder / f"{name}_preview{picture}", progress=progress))
        if name == "clip":
            written.append(preview(take, folder / f"{name}_preview.png", progress=progress))
        if write_scene is not None:
            written.append(write_scene([take], folder / f"{name}.blend"))
        if name == "clip":
            result = compare(take, truth, load_head())
            with atomic(folder / "clip_error.json") as temporary:
                temporary.write_text(json.dumps(result.as_json(), indent=1), encoding="utf-8")
            written.append(folder / "clip_error.json")
            say("The bundled clip, recovered:")
            for line in _summary(result):
                say(line)
    for path in written:
        say(f"Wrote {path}")
    return written
