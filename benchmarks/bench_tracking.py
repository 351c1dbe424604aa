# SPDX-License-Identifier: Apache-2.0
"""Where the time of tracking goes: decoding, detection, both at once, the crop, the solve; and the memory of it all.

    python -m benchmarks.bench_tracking CLIP [--detector auto|facemesh|landmarker] [--frames N]
    python -m benchmarks.bench_tracking CLIP --minutes 10 --size 1920x1080

The second form first loops the clip to that length and size (packets are copied, not encoded again) and then only
reads and solves it, so that the peak memory is that of one long run. Prints a table, then the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np

from smirk_core.tracking.crop import crop_transform
from smirk_core.tracking.face_tracks import TrackBuilder, select_tracks
from smirk_core.tracking.faces import create_detector
from smirk_core.tracking.media import Frame, open_media, prefetched

WARM_UP = 5  # frames; models load in the first


def peak_memory() -> float | None:
    """Largest resident size of this process so far, MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**20 if sys.platform == "darwin" else 2**10)


def looped(source: Path, target: Path, minutes: float, size: tuple[int, int]) -> Path:
    """The clip encoded once at another size, its packets then repeated until it is that long."""
    once = target.with_name("once.mp4")
    with av.open(str(source)) as reader, av.open(str(once), "w") as writer:
        old = reader.streams.video[0]
        stream: Any = writer.add_stream("libx264", rate=old.average_rate, options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, frame in enumerate(reader.decode(old)):
            plain = frame.reformat(*size, format="yuv420p")
            plain.pts, plain.time_base = number, 1 / old.average_rate
            writer.mux(stream.encode(plain))
        writer.mux(stream.encode())
    with av.open(str(once)) as reader, av.open(str(target), "w") as writer:
        stream = reader.streams.video[0]
        copy = writer.add_stream_from_template(stream)
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in reader.demux(stream) if p.size]
        step = packets[-1][1] - packets[0][1] + packets[1][1] - packets[0][1]
        for turn in range(max(1, round(minutes * 60 / float(step * stream.time_base)))):
            for data, pts, dts, key in packets:
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.time_base = pts + turn * step, dts + turn * step, stream.time_base
                packet.stream, packet.is_keyframe = copy, key
                writer.mux(packet)
    return target


def timed(items: Iterable[Any], work: Callable[[Any], Any]) -> tuple[int, float]:
    """How many items, and seconds for all of them."""
    begin, count = time.perf_counter(), 0
    for item in items:
        work(item)
        count += 1
    return count, time.perf_counter() - begin


def stages(path: Path, detector: str, limit: int | None) -> dict[str, Any]:
    """Frames per second of each step on its own and of reading as the tracker does it."""
    media = open_media(path)
    result: dict[str, Any] = {}

    def note(name: str, count: int, seconds: float) -> None:
        result[name] = {"frames": count, "per_second": round(count / seconds, 1), "ms": round(1e3 * seconds / count, 2)}

    note("decode", *timed(media.frames(0, limit), lambda frame: None))
    kept = list(media.frames(0, min(limit or 300, 300)))
    faces: list[Any] = []

    def run(name: str, frames: Iterable[Frame], keep: bool = False) -> None:
        with create_detector(detector, max_faces=4) as finder:
            result["detector"] = finder.name
            for frame in kept[:WARM_UP]:
                finder.detect(frame.image)

            def look(frame: Frame) -> None:
                found = finder.detect(frame.image)
                if keep:
                    faces.append(found)

            note(name, *timed(frames, look))

    run("detect", kept, keep=True)
    run("decode and detect, in turn", media.frames(0, limit))
    run("decode and detect, at once", prefetched(media.frames(0, limit)))

    builder = TrackBuilder()
    pairs = list(zip(kept, faces, strict=True))
    note("join into tracks", *timed(pairs, lambda pair: builder.add(pair[0].index, pair[0].time, pair[1])))
    seen = [(frame, found[0]) for frame, found in pairs if found]
    if seen:
        note("crop", *timed(seen, lambda pair: crop_transform(pair[1]).apply(pair[0].image)))
    return result


def whole(path: Path, detector: str, limit: int | None) -> dict[str, Any]:
    """File to take, as a user has it, model loading included."""
    from smirk_core.heads.library import load_head
    from smirk_core.tracking.solve import solve_clip
    from smirk_core.tracking.tracker import read_faces

    begin = time.perf_counter()
    reading = read_faces(path, end=limit, detector=detector)
    read = time.perf_counter()
    after_reading = peak_memory()
    (face,) = select_tracks(reading.tracks, "largest")
    observed = face.observations(reading.info.width, reading.info.height, reading.detector)
    solution = solve_clip(load_head(), observed)
    end = time.perf_counter()
    count = reading.frames
    return {
        "frames": count,
        "seen": round(float(np.mean(face.visibility)), 4),
        "read_per_second": round(count / (read - begin), 1),
        "solve_ms_per_frame": round(1e3 * (end - read) / count, 2),
        "total_per_second": round(count / (end - begin), 1),
        "peak_mb_after_reading": after_reading and round(after_reading),
        "peak_mb": (peak := peak_memory()) and round(peak),
        "error_mm": round(1e3 * float(np.nanmedian(solution.error)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--frames", type=int, help="use only so many frames")
    parser.add_argument("--minutes", type=float, help="loop the clip to this length")
    parser.add_argument("--size", default="1920x1080", help="size of the looped clip")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    report: dict[str, Any] = {
        "clip": arguments.clip.name, "cores": cores, "python": platform.python_version(), "system": platform.system(),
    }  # fmt: skip
    if arguments.minutes:
        width, height = (int(part) for part in arguments.size.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            clip = looped(arguments.clip, Path(folder) / "long.mp4", arguments.minutes, (width, height))
            report |= {"minutes": arguments.minutes, "size": arguments.size}
            report["whole"] = whole(clip, arguments.detector, arguments.frames)
    else:
        report["whole"] = whole(arguments.clip, arguments.detector, arguments.frames)  # first: its memory is its own
        report["stages"] = stages(arguments.clip, arguments.detector, arguments.frames)
    for name, value in report.get("stages", {}).items():
        if isinstance(value, dict):
            print(f"{name:<28}{value['per_second']:>10.1f} frames/s {value['ms']:>9.2f} ms {value['frames']:>7} frames")
    for name, value in report["whole"].items():
        print(f"{name:<28}{value!s:>10}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
