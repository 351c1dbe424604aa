# SPDX-License-Identifier: Apache-2.0
"""Speed and memory of tracking; writes docs/performance.json, which docs/performance.md explains.

    python -m benchmarks.performance [track] [solve] [memory] [--media FILE] [--minutes 10]

``track``: a 720p clip from file to take. ``solve``: 1,000 frames of a synthetic performance, landmarks given.
``memory``: a long 1080p clip, made from the test portrait, in a process of its own. Parts that are not asked for keep
their last figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "docs" / "performance.json"
PORTRAIT = ROOT / "tests" / "data" / "face.png"


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
    }


def measure_track(media: Path, runs: int = 3) -> dict[str, Any]:
    """Frames per second from an opened file to a finished take, models loaded in an untimed first run."""
    from smirk_core import track

    track(media, end=3)
    totals, reading, frames = [], [], 0
    for _ in range(runs):
        marks: dict[str, float] = {}

        def note(stage: str, done: int, total: int | None, marks: dict[str, float] = marks) -> None:
            marks.setdefault(stage, time.perf_counter())

        begin = time.perf_counter()
        frames = len(track(media, progress=note))
        end = time.perf_counter()
        totals.append(end - begin)
        reading.append(marks["Solving"] - begin)
    total = statistics.median(totals)
    return {
        "media": media.name,
        "frames": frames,
        "seconds": round(total, 2),
        "frames_per_second": round(frames / total, 1),
        "seconds_reading_faces": round(statistics.median(reading), 2),
        "runs": runs,
    }


def measure_solve(frames: int = 1000) -> dict[str, Any]:
    """Seconds of the clip solve alone, and the memory of a process that does nothing else."""
    from smirk_core import load_head
    from smirk_core.heads.decode import decode, landmark_points, project
    from smirk_core.tracking.observations import Observations
    from smirk_core.tracking.solve import solve_clip

    from .synthetic import SIZE, synthetic_clip

    head = load_head()
    clip = synthetic_clip(head, 1, frames)
    points = []
    for begin in range(0, frames, 50):
        some = {k: v[begin : begin + 50] for k, v in clip.parameters.items()}
        placed = landmark_points(head, decode(head, some).vertices, head.landmarks["mediapipe_478"])
        points.append(project(placed, some["camera"]))
    noise = np.random.default_rng(0).normal(0, 0.8, (frames, 478, 3))
    landmarks = (np.concatenate(points) + noise).astype(np.float32)
    seen = Observations(clip.times, landmarks, np.ones(frames, np.float32), SIZE, SIZE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    solve_clip(head, seen)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "frames": frames,
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(peak / 1024),
        "memory_before_mb": round(before / 1024),
    }


def make_long_clip(path: Path, minutes: float) -> None:
    """A 1920 x 1080 clip at 25 per second: ten seconds of a drifting portrait, its packets repeated."""
    import av
    from PIL import Image

    portrait = Image.open(PORTRAIT).convert("RGB")
    side = 900
    face = np.asarray(portrait.resize((side, side)))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        short = Path(folder) / "short.mp4"
        with av.open(str(short), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1920, 1080, "yuv420p", 8_000_000
            stream.gop_size = 25
            for i in range(250):
                frame = np.full((1080, 1920, 3), 90, np.uint8)
                left = int(510 + 200 * np.sin(i / 40))
                frame[90 : 90 + side, left : left + side] = face
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        with av.open(str(path), "w") as target:
            added = None
            for repeat in range(round(minutes * 6)):
                with av.open(str(short)) as source:
                    stream = source.streams.video[0]
                    added = added or target.add_stream_from_template(stream)
                    step = round(10 / stream.time_base)
                    for packet in source.demux(stream):
                        if packet.pts is None or packet.dts is None:
                            continue
                        packet.pts += repeat * step
                        packet.dts += repeat * step
                        packet.stream = added
                        target.mux(packet)


def measure_memory(minutes: float) -> dict[str, Any]:
    """Peak memory of ``smirk track`` on a long clip, and its speed."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "long.mp4"
        make_long_clip(clip, minutes)
        output = Path(folder) / "long.take.npz"
        command = [sys.executable, "-m", "smirk_core", "track", str(clip), "-o", str(output)]
        begin = time.perf_counter()
        subprocess.run(command, check=True, cwd=ROOT)
        seconds = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        with np.load(output) as take:
            frames = len(take["times"])
    return {
        "minutes": minutes,
        "frames": frames,
        "peak_memory_mb": round(peak / 1024),
        "seconds": round(seconds, 1),
        "frames_per_second": round(frames / seconds, 1),
    }


def _alone(part: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One part in a fresh process, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.performance", part, "--print", "--media", str(arguments.media)]
    result = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["track", "solve", "memory", []], default=[])
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media" / "interview_720p.mp4")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--print", action="store_true", help="print the figures of one part and write nothing")
    arguments = parser.parse_args()
    if arguments.print:
        done = {"track": lambda: measure_track(arguments.media), "solve": measure_solve}
        print(json.dumps(done[arguments.parts[0]]()))
        return
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    for part in arguments.parts or ["track", "solve", "memory"]:
        figures = measure_memory(arguments.minutes) if part == "memory" else _alone(part, arguments)
        report[part] = {**figures, "command": f"python -m benchmarks.performance {part}", "machine": machine()}
        print(part, json.dumps(figures))
        REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
