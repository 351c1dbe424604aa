# SPDX-License-Identifier: Apache-2.0
"""Find the faces of a folder of photos and videos and store them for training.

    python -m training.data.prepare FOLDER -o PREPARED [--processes 2] [--every 5] [--fan FOLDER] [--groups FILE]

Runs in parallel processes, goes on where it stopped (only new files are looked at), keeps the frame number
and time stamp of every face of a video, and says what it rejected and why: ``report.json``, ``report.txt`` and a
contact sheet ``sheet.png``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic

from .finding import PICTURES, VIDEOS, Finder, Job, stamp
from .prepared import Looked, Settings, counts, looked_at, read_settings, write_settings

__all__ = ["Job", "Report", "main", "prepare"]

_CHUNK = 64  # photos a shard; a video is a shard of its own


@dataclass(frozen=True)
class Report:
    """What a run did: files looked at now, all faces and rejections of the folder, seconds."""

    files: int
    faces: int
    rejected: dict[str, int]
    seconds: float


def media_files(folder: Path) -> list[str]:
    """Relative paths of all photos and videos below a folder, sorted; hidden files are passed over."""
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in PICTURES | VIDEOS and path.is_file():
            found.append(path.relative_to(folder).as_posix())
    return found


_worker: Finder | None = None


def _begin(job: Job) -> None:
    global _worker
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the processes are the parallelism
        os.environ.setdefault(name, "1")
    _worker = Finder(job)


def _shard(task: tuple[int, list[str]]) -> dict[str, Looked]:
    assert _worker is not None
    return _worker.shard(*task)


def prepare(job: Job, processes: int = 2, *, show: Any = None) -> Report:
    """Look at every new file of a folder.

    Args:
        job: see :class:`Job`.
        processes: that look for faces at the same time; 0 does all the work in this one.
        show: called with (files done, files to do, faces) after each shard.

    Raises:
        TrainingError: there is nothing to look at, or the folder was begun with other settings.
    """
    began = time.monotonic()
    names = media_files(job.folder)
    if not names:
        raise TrainingError(f"There are no photos or videos in {job.folder}.")
    if (job.output / "prepared.json").exists():
        if (before := read_settings(job.output)) != job.settings:
            raise TrainingError(
                f"{job.output} was begun with other settings ({before}); go on with those, or use a new folder."
            )
    else:
        write_settings(job.output, job.settings)
    done = looked_at(job.output)
    present = {name: stamp(job.folder / name) for name in names}
    changed = [n for n in names if n in done and (done[n].bytes, done[n].stamp) != _key(present[n])]
    if changed:
        raise TrainingError(
            f"{len(changed)} file(s) changed since they were prepared, the first is {changed[0]}; use a new folder."
        )
    waiting = [n for n in names if n not in done]
    tasks = list(_tasks(waiting, _first_number(job.output)))
    faces = 0
    for finished, looked in _run(job, tasks, processes):
        done |= looked
        faces += sum(entry.faces for entry in looked.values())
        if show:
            show(finished, len(waiting), faces)
    total, rejected = counts(done.values())
    return Report(len(waiting), total, rejected, time.monotonic() - began)


def _key(entry: Looked) -> tuple[int, int]:
    return entry.bytes, entry.stamp


def _first_number(folder: Path) -> int:
    numbers = [int(p.stem.rpartition("-")[2]) for p in folder.glob("faces-*.json")]
    return max(numbers, default=-1) + 1


def _tasks(names: list[str], number: int) -> Iterator[tuple[int, list[str]]]:
    """Shards: 64 photos each, one video each."""
    photos = [n for n in names if Path(n).suffix.lower() not in VIDEOS]
    chunks = [photos[i : i + _CHUNK] for i in range(0, len(photos), _CHUNK)]
    chunks += [[n] for n in names if Path(n).suffix.lower() in VIDEOS]
    yield from enumerate(chunks, number)


def _run(job: Job, tasks: list[tuple[int, list[str]]], processes: int) -> Iterator[tuple[int, dict[str, Looked]]]:
    finished = 0
    if processes < 1 or len(tasks) < 2:
        worker = Finder(job)
        try:
            for task in tasks:
                looked = worker.shard(*task)
                finished += len(looked)
                yield finished, looked
        finally:
            worker.close()
        return
    # Spawned, not forked: MediaPipe's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(processes, len(tasks)), _begin, (job,)) as pool:
        for looked in pool.imap_unordered(_shard, tasks):
            finished += len(looked)
            yield finished, looked


def write_reports(output: Path, report: Report) -> str:
    """``report.json`` and ``report.txt`` of a folder; returns the text."""
    done = looked_at(output)
    looks = report.faces + sum(report.rejected.values())
    lines = [
        f"{len(done)} files, {looks} pictures and frames looked at, {report.faces} faces stored, "
        f"{looks - report.faces} rejected ({(looks - report.faces) / max(looks, 1):.1%})."
    ]
    lines += [f"  {number:6d}  {reason}" for reason, number in report.rejected.items()]
    without = sorted(n for n, entry in done.items() if not entry.faces)
    if without:
        lines += ["", "Files without a face:"]
        lines += [f"  {name}: {', '.join(done[name].rejected)}" for name in without]
    text = "\n".join(lines) + "\n"
    words = {
        "files": len(done), "looks": looks, "faces": report.faces, "rejected": report.rejected,
        "by_file": {name: vars(done[name]) for name in sorted(done)},
        "last_run": {"files": report.files, "seconds": round(report.seconds, 2)},
    }  # fmt: skip
    with atomic(output / "report.json") as path:
        path.write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")
    with atomic(output / "report.txt") as path:
        path.write_text(text, encoding="utf-8")
    return text


def _groups(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Lines "file identity", as in CelebA's list."""
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"Cannot read {path}: {error}.") from error
    pairs = [tuple(line.split()) for line in lines if line.strip()]
    if any(len(p) != 2 for p in pairs):
        raise TrainingError(f"{path} must hold lines of two words: a file name and whose face it shows.")
    return tuple((a, b) for a, b in pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns 0, or 2 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m training.data.prepare", description="Find and store the faces of a folder."
    )
    parser.add_argument("folder", type=Path, help="photos and videos, folders below included")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the prepared faces")
    parser.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--size", type=int, default=Settings.size, help="pixels of the largest stored crop")
    parser.add_argument("--margin", type=float, default=Settings.margin, help="of the crop around the landmarks")
    parser.add_argument("--every", type=int, default=Settings.every, help="step between frames of videos")
    parser.add_argument("--smallest", type=float, default=Job.smallest, help="least distance of the eyes in pixels")
    parser.add_argument("--fan", type=Path, help="folder with FAN landmarks that mirrors the first one")
    parser.add_argument("--groups", type=Path, help="lines 'file identity', such as CelebA's identity list")
    parser.add_argument("--detector", default="auto", choices=("auto", "facemesh", "landmarker"))
    parser.add_argument("--sheet", type=int, default=96, help="faces on the contact sheet; 0 for none")
    options = parser.parse_args(arguments)

    def show(finished: int, waiting: int, faces: int) -> None:
        print(f"{finished} of {waiting} files, {faces} faces", file=sys.stderr, flush=True)

    try:
        if not options.folder.is_dir():
            raise TrainingError(f"There is no folder {options.folder}.")
        if options.size < 64 or not 1.0 <= options.margin <= 4.0 or options.every < 1:
            raise TrainingError("The size must be 64 or more, the margin 1 to 4, the step between frames 1 or more.")
        settings = Settings(options.size, options.margin, options.every)
        job = Job(
            options.folder, options.output, settings, options.smallest, fan=options.fan,
            groups=_groups(options.groups), detector=options.detector,
        )  # fmt: skip
        report = prepare(job, options.processes, show=show)
        print(write_reports(options.output, report), end="")
        speed = report.files / max(report.seconds, 1e-9)
        print(f"{report.files} new files in {report.seconds:.1f} s, {speed:.1f} files/s")
        if options.sheet and report.faces:
            from .prepared_sheet import contact_sheet

            contact_sheet(options.output, options.output / "sheet.png", options.sheet)
            print(f"Contact sheet: {options.output / 'sheet.png'}")
    except SmirkError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
