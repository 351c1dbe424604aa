# SPDX-License-Identifier: Apache-2.0
"""``smirk animate``: photos or videos, or takes made before, to animated heads in Blender's and others' formats."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import SmirkError, TakeError
from ..heads.library import head_of_take
from ..take import Take, load_take
from .batch import Job, run_batch
from .options import TrackOptions, add_track_arguments
from .outputs import check_suffix, face_path, plan_outputs

__all__ = ["SCENE_SUFFIXES", "add_parser", "is_take", "scene_writer"]

SCENE_SUFFIXES = (".blend", ".glb", ".fbx", ".usd", ".usda", ".usdc")
SUFFIXES = (*SCENE_SUFFIXES, ".npz")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "animate", help="photos or videos to animated heads (.blend, .glb, .fbx, .usd)", description=__doc__
    )
    parser.add_argument("media", nargs="+", metavar="MEDIA", help="photo, video, pictures, or a take to use as it is")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help=f"file ending in {', '.join(SUFFIXES)}, or a folder"
    )
    parser.add_argument("--format", default=".blend", help="what to write into a folder (default: .blend)")
    add_track_arguments(parser)
    parser.set_defaults(run=run)


def is_take(path: str) -> bool:
    """True for a file that is a take already, by its name."""
    return path.endswith(".npz")


def scene_writer() -> Callable[..., Path]:
    """:func:`blender_smirk.headless.write_scene`, the one door from here to Blender; loaded when it is called.

    Raises:
        SmirkError: Blender's Python module is not installed here.
    """
    if importlib.util.find_spec("bpy") is None:
        raise SmirkError(
            "This needs Blender as a Python module, which is not installed here. "
            'Get it with: pip install "smirk-blender[blender]" (Python 3.11 or 3.13), '
            "or write a take (-o NAME.take.npz) and load it in Blender."
        )

    def write_scene(*arguments: Any, **options: Any) -> Path:
        # Blender writes to the terminal as it is loaded, so that has to wait until nobody hears it.
        return importlib.import_module("blender_smirk.headless").write_scene(*arguments, **options)

    return write_scene


def run(arguments: argparse.Namespace) -> int:
    options = TrackOptions.from_arguments(arguments)
    form = arguments.format if arguments.format.startswith(".") else f".{arguments.format}"
    form = check_suffix(f"x{form}", SUFFIXES)
    outputs = plan_outputs(arguments.media, arguments.output, ".take.npz" if form == ".npz" else form, SUFFIXES)
    write_scene = scene_writer() if outputs[0].suffix.lower() != ".npz" else None

    def work(index: int, job: Job) -> None:
        medium, output = arguments.media[index], outputs[index]
        takes = [load_take(medium)] if is_take(medium) else options.run(medium, job.progress)
        job.tracked(takes)
        if write_scene is None:
            for number, take in enumerate(takes):
                job.wrote(take.save(face_path(output, number, len(takes))))
            return
        try:
            # A take made before knows its head; what was tracked just now was tracked on the one that is asked for.
            known = is_take(medium) and options.head == "open"
            write_scene(takes, output, head=head_of_take(takes[0]) if known else options.head)
        except Exception as error:
            if is_take(medium):
                raise
            # Tracking is the long part; a full disk or a missing exporter must not cost it.
            raise SmirkError(f"{error} {_rescue(takes, output)}") from error
        job.wrote(output)

    return run_batch(arguments.media, work)


def _rescue(takes: list[Take], output: Path) -> str:
    """Save takes beside an output that could not be written; what to tell the user."""
    try:
        kept = [take.save(face_path(output.with_suffix(".take.npz"), n, len(takes))) for n, take in enumerate(takes)]
    except TakeError:
        return "(the take could not be kept either)"
    return f"The tracked take is kept: {', '.join(map(str, kept))}"
