# SPDX-License-Identifier: Apache-2.0
"""``smirk detail``: what a person's skin has of its own; ``smirk wrinkles``: maps and curves of a take's wrinkles."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ExportError, TakeError
from ..export.atomic import check_writable
from ..heads.library import head_of_take, load_head
from ..take import Take, load_take
from .batch import Job, run_batch
from .options import TrackOptions
from .outputs import check_suffix

__all__ = ["add_parser"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("detail", help="relief and wrinkle strengths of a person from a photo, clip or take")
    parser.add_argument(
        "media", metavar="PHOTO|CLIP|TAKE", help="a photo or clip of one person, or NAME.take.npz of it"
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="file ending in .npz")
    parser.add_argument("--frames", type=int, default=8, metavar="N", help="of a clip look at most at N frames")
    parser.add_argument("--size", type=int, default=1024, metavar="TEXELS", help="to a side of the texture")
    parser.add_argument("--head", metavar="FILE|NAME", help="the head of the take, where it is not the bundled one")
    parser.set_defaults(run=run_detail)

    parser = commands.add_parser("wrinkles", help="a take's wrinkles as a table, or as height and normal maps")
    parser.add_argument("take", metavar="TAKE", help="NAME.take.npz")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help=".csv or .npz for the curves, else a folder for maps"
    )
    parser.add_argument(
        "--frame", type=int, action="append", default=[], metavar="N",
        help="maps of this frame of the take, from 0; may be repeated (default: the peak of each group)",
    )  # fmt: skip
    parser.add_argument("--person", metavar="FILE", help="whose detail it is: a file of smirk detail")
    parser.add_argument("--age", type=float, default=0.5, metavar="0..1", help="0 child, 0.5 grown-up, 1 old")
    parser.add_argument("--strength", type=float, default=1.0, help="of all wrinkles")
    parser.add_argument("--size", type=int, default=2048, metavar="TEXELS", help="to a side of the maps")
    parser.add_argument("--raw", action="store_true", help="the curves before any filter")
    parser.add_argument("--head", metavar="FILE|NAME", help="the head of the take, where it is not the bundled one")
    parser.set_defaults(run=run_wrinkles)


def _check_size(size: int) -> None:
    if not 256 <= size <= 8192 or size % 4:
        raise ExportError("--size is a multiple of 4 between 256 and 8192.")


def run_detail(arguments: argparse.Namespace) -> int:
    check_suffix(arguments.output, (".npz",))
    check_writable(arguments.output)
    _check_size(arguments.size)
    if arguments.frames < 1:
        raise TakeError("--frames is 1 or more.")

    def work(index: int, job: Job) -> None:
        from ..detail.recover import recover_from_take

        take = _take_of(arguments.media, arguments.head, job)
        head = head_of_take(take, arguments.head)
        detail = recover_from_take(
            head, take, frames=arguments.frames, size=arguments.size, progress=job.progress
        )  # fmt: skip
        job.wrote(detail.save(arguments.output))

    return run_batch([arguments.media], work)


def _take_of(name: str, head: str | None, job: Job) -> Take:
    if name.lower().endswith(".npz"):
        return load_take(name)
    takes = TrackOptions(head=head or "open").run(name, job.progress)
    job.tracked(takes)
    return takes[0]


def run_wrinkles(arguments: argparse.Namespace) -> int:
    output = Path(arguments.output)
    table = output.suffix.lower() in (".csv", ".npz")
    check_writable(output if table else output / "map.png")
    _check_size(arguments.size)
    if not 0 <= arguments.age <= 1:
        raise ExportError("--age is between 0, a child, and 1, old.")
    take = load_take(arguments.take)
    head = load_head("open") if arguments.head is None and not take.info.head else head_of_take(take, arguments.head)

    def work(index: int, job: Job) -> None:
        from ..detail.baking import bake_groups, bake_take, write_activations
        from ..detail.person import load_person_detail

        person = None if arguments.person is None else load_person_detail(arguments.person)
        if table:
            job.wrote(write_activations(
                head, take, output, age=arguments.age, strength=arguments.strength, person=person, raw=arguments.raw
            ))  # fmt: skip
            return
        if arguments.frame:
            files = bake_take(
                head, take, output, arguments.frame, size=arguments.size, age=arguments.age,
                strength=arguments.strength, person=person, raw=arguments.raw, progress=job.progress,
            )  # fmt: skip
        else:
            files = bake_groups(head, output, size=arguments.size, age=arguments.age, progress=job.progress)
        job.say(f"Wrote {len(files)} maps into {output}")

    return run_batch([arguments.take], work)
