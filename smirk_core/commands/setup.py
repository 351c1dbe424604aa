# SPDX-License-Identifier: Apache-2.0
"""``smirk doctor`` and ``smirk demo``: what is installed, and a first result without any file of one's own."""

from __future__ import annotations

import argparse

from .batch import Job, run_batch

__all__ = ["add_parser"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser("doctor", help="what is installed here, and what is missing")
    doctor.set_defaults(run=run_doctor)
    demo = commands.add_parser("demo", help="animate a bundled photo and clip, and state the error")
    demo.add_argument("-o", "--output", default="out/demo", metavar="FOLDER", help="default: out/demo")
    demo.set_defaults(run=run_demo)


def run_doctor(arguments: argparse.Namespace) -> int:
    def work(index: int, job: Job) -> None:
        from ..doctor import examine

        report = examine()
        job.say(report.text)
        if report.problems:
            job.partial = report.problems[0]

    return run_batch(["doctor"], work)


def run_demo(arguments: argparse.Namespace) -> int:
    def work(index: int, job: Job) -> None:
        from ..demo import demo

        demo(arguments.output, say=job.say, progress=job.progress)

    return run_batch(["demo"], work)
