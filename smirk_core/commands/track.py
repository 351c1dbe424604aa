# SPDX-License-Identifier: Apache-2.0
"""``smirk track``: media to take files."""

from __future__ import annotations

import argparse

from .batch import Job, run_batch
from .options import TrackOptions, add_track_arguments
from .outputs import face_path, plan_outputs

__all__ = ["add_parser"]

TAKE_SUFFIXES = (".npz",)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("track", help="photos or videos to take files")
    parser.add_argument("media", nargs="+", metavar="MEDIA", help="photo, video, folder or pattern of pictures")
    parser.add_argument("-o", "--output", required=True, metavar="TAKE", help="NAME.take.npz, or a folder for several")
    add_track_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    options = TrackOptions.from_arguments(arguments)
    outputs = plan_outputs(arguments.media, arguments.output, ".take.npz", TAKE_SUFFIXES)

    def work(index: int, job: Job) -> None:
        takes = options.run(arguments.media[index], job.progress)
        job.tracked(takes)
        for number, take in enumerate(takes):
            job.wrote(take.save(face_path(outputs[index], number, len(takes))))

    return run_batch(arguments.media, work)
