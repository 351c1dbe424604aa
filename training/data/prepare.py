# SPDX-License-Identifier: Apache-2.0
"""Find the faces of a folder of photos and videos and store them for training.

    python -m training.data.prepare FOLDER -o PREPARED [--processes 2] [--every 5] [--fan FOLDER] [--groups FILE]

Runs in parallel processes, goes on where it stopped (only new or changed files are looked at), keeps the frame number
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

import numpy as np
import numpy.typing as npt

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic

from .prepared import (
    Looked,
    PreparedFace,
    Settings,
    counts,
    encode,
    looked_at,
    read_settings,
    write_settings,
    write_shard,
)

__all__ = ["Job", "Report", "main", "prepare"]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
_CHUNK = 64  # photos a shard; a video is a shard of its own
_PICTURES = {".avif", ".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
_VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv", ".gif"}
_IRISES = (468, 473)


@dataclass(frozen=True)
class Job:
    """What all processes need to know.

    Attributes:
        folder: of the photos and videos. output: where prepared faces go.
        settings: of the storage.
        smallest: distance of the irises in frame pixels below which a face is too small to learn from.
        outside: share of the landmarks that may lie outside the frame.
        fan: folder with FAN landmarks, ``<stem>.npy`` (faces, 68, 2) or a ``<stem>.pkl`` list per frame, or None.
        groups: file name -> whose face it is; a file of its own where it is not named.
        detector: back end of the face detector.
    """

    folder: Path
    output: Path
    settings: Settings
    smallest: float = 24.0
    outside: float = 0.25
    fan: Path | None = None
    groups: tuple[tuple[str, str], ...] = ()
    detector: str = "auto"


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
        if not hidden and path.suffix.lower() in _PICTURES | _VIDEOS and path.is_file():
            found.append(path.relative_to(folder).as_posix())
    return found


def stored(image: Image, landmarks: Floats, settings: Settings) -> tuple[Image, Floats, tuple[float, float, float]]:
    """Cut a face out.

    Args:
        image: (H, W, 3) uint8 frame. landmarks: (478, 3) frame pixels.

    Returns:
        The crop (S, S, 3), black outside the frame; the landmarks in it; (k, x, y) with stored = k * frame + (x, y).
    """
    from PIL import Image as Pillow

    points = np.asarray(landmarks, np.float64)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    middle, side = (low + high) / 2, (high - low).mean() * settings.margin
    corner = np.floor(middle - side / 2).astype(int)
    width = max(int(np.ceil(side)), 2)
    canvas = np.zeros((width, width, 3), np.uint8)
    height, across = image.shape[:2]
    x0, y0 = max(corner[0], 0), max(corner[1], 0)
    x1, y1 = min(corner[0] + width, across), min(corner[1] + width, height)
    if x1 > x0 and y1 > y0:
        canvas[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]] = image[y0:y1, x0:x1]
    size = min(settings.size, width)
    if size < width:  # with anti-aliasing: large faces would flicker otherwise
        canvas = np.asarray(Pillow.fromarray(canvas).resize((size, size), Pillow.Resampling.LANCZOS), np.uint8)
    k = size / width
    x, y = (float(v) for v in (0.5 - corner) * k - 0.5)
    moved = points * k
    moved[:, :2] += (x, y)
    return canvas, moved, (k, x, y)


class _Worker:
    """One process: a detector for photos, made when it is first needed, and one for each video."""

    def __init__(self, job: Job) -> None:
        self.job, self._photos = job, None
        self._groups = dict(job.groups)

    def close(self) -> None:
        if self._photos is not None:
            self._photos.close()

    def _detector(self) -> Any:
        from smirk_core.tracking.faces import create_detector

        if self._photos is None:
            self._photos = create_detector(self.job.detector, video=False)
        return self._photos

    def shard(self, number: int, names: Sequence[str]) -> dict[str, Looked]:
        """Look at photos or at a video and write what was found."""
        faces, looked = list[PreparedFace](), dict[str, Looked]()
        for name in names:
            entry = looked[name] = _stamp(self.job.folder / name)
            try:
                is_video = Path(name).suffix.lower() in _VIDEOS
                for face in self._video(name, entry) if is_video else self._photo(name, entry):
                    faces.append(face)
                    entry.faces += 1
            except SmirkError as error:
                entry.reject(f"cannot be read: {str(error).replace(str(self.job.folder / name), 'it')}")
        write_shard(self.job.output, number, faces, looked)
        return looked

    def _photo(self, name: str, entry: Looked) -> Iterator[PreparedFace]:
        from smirk_core.tracking.pictures import load_picture

        image, _ = load_picture(self.job.folder / name)
        if min(image.shape[:2]) < 32:
            entry.reject("picture below 32 pixels")
            return
        face = self._cut(image, self._detector().detect(image), name, entry, self._fan(name))
        if face:
            yield face

    def _video(self, name: str, entry: Looked) -> Iterator[PreparedFace]:
        from smirk_core.tracking.faces import create_detector
        from smirk_core.tracking.media import open_media

        fan = self._fan(name)
        media = open_media(self.job.folder / name)
        with create_detector(self.job.detector, video=True) as detector:
            for frame in media.frames(step=self.job.settings.every):
                found = detector.detect(frame.image)
                here = None if fan is None or frame.index >= len(fan) else fan[frame.index]
                face = self._cut(frame.image, found, name, entry, None if here is None else [here])
                if face:
                    # The number of the frame is kept with each face, so that a frame without a face shifts nothing.
                    yield PreparedFace(**(vars(face) | {"frame": frame.index, "time": frame.time}))

    def _fan(self, name: str) -> Any:
        """FAN landmarks of a file: of its faces, or of each frame; None where there are none."""
        if self.job.fan is None:
            return None
        from .landmark_files import fan_frames

        return fan_frames((self.job.fan / name).with_suffix(""))

    def _cut(self, image: Image, found: list[Floats], name: str, entry: Looked, fan: Any) -> PreparedFace | None:
        if not found:
            entry.reject("no face")
            return None
        landmarks = found[0]
        eyes = float(np.linalg.norm(landmarks[_IRISES[0], :2] - landmarks[_IRISES[1], :2]))
        width = float(np.ptp(landmarks[:, 0]))
        if not np.isfinite(landmarks).all():
            entry.reject("landmarks are not finite")
        elif max(eyes, 0.4 * width) < self.job.smallest:  # in profile the eyes are close; the face is as large
            entry.reject(f"face too small (eyes less than {self.job.smallest:g} pixels apart)")
        elif _inside(landmarks, image) < 1 - self.job.outside:
            entry.reject(f"face cut off by the frame (more than {self.job.outside:.0%} outside)")
        else:
            picture, points, place = stored(image, landmarks, self.job.settings)
            known = None
            if fan is not None and len(fan):
                known = _nearest(np.asarray(fan, np.float64), landmarks)
                known = None if known is None else known * place[0] + place[1:]
            group = self._groups.get(Path(name).name, name)
            data = encode(picture, self.job.settings.quality)
            return PreparedFace(data, points, place, name, group, fan=known)
        return None


def _inside(landmarks: Floats, image: Image) -> float:
    within = (landmarks[:, :2] >= 0).all(1) & (landmarks[:, :2] <= np.array(image.shape[1::-1]) - 1).all(1)
    return float(within.mean())


def _nearest(faces: Floats, landmarks: Floats) -> Floats | None:
    """Of several faces' FAN landmarks those that lie on this face; None where none does."""
    middle, extent = landmarks[:, :2].mean(0), float(np.ptp(landmarks[:, :2], axis=0).mean())
    away = np.linalg.norm(faces.mean(1) - middle, axis=1)
    best = int(np.argmin(np.where(np.isfinite(away), away, np.inf)))
    return faces[best] if away[best] < 0.4 * extent else None


def _stamp(path: Path) -> Looked:
    try:
        facts = path.stat()
        return Looked(facts.st_size, facts.st_mtime_ns)
    except OSError:
        return Looked(-1, -1)


_worker: _Worker | None = None


def _begin(job: Job) -> None:
    global _worker
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the processes are the parallelism
        os.environ.setdefault(name, "1")
    _worker = _Worker(job)


def _shard(task: tuple[int, list[str]]) -> dict[str, Looked]:
    assert _worker is not None
    return _worker.shard(*task)


def prepare(job: Job, processes: int = 2, *, show: Any = None) -> Report:
    """Look at every new or changed file of a folder.

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
    present = {name: _stamp(job.folder / name) for name in names}
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
    photos = [n for n in names if Path(n).suffix.lower() not in _VIDEOS]
    chunks = [photos[i : i + _CHUNK] for i in range(0, len(photos), _CHUNK)]
    chunks += [[n] for n in names if Path(n).suffix.lower() in _VIDEOS]
    yield from enumerate(chunks, number)


def _run(job: Job, tasks: list[tuple[int, list[str]]], processes: int) -> Iterator[tuple[int, dict[str, Looked]]]:
    finished = 0
    if processes < 1 or len(tasks) < 2:
        worker = _Worker(job)
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
    parser = argparse.ArgumentParser(prog="python -m training.data.prepare", description="Find and store the faces of a folder.")
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
