# SPDX-License-Identifier: Apache-2.0
"""How long a capture keeps Blender's main thread busy, tick by tick: what a person feels while the face is read.

    python -m benchmarks.bench_capture [--media CLIP] [--minutes 1] [--runs 3] [--write]

The timer of the operator is played by a loop: it calls the function that the modal operator calls, ten times a second
as in a window, with a real worker beside it, and notes the wall time and the processor time of every call. Given are
the longest call of each stage, over all runs. The first run of a process loads what later ones find loaded, and counts.
``--write`` puts the figures into docs/performance.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import bpy

import blender_smirk
from blender_smirk.capture_queue import QUEUE
from blender_smirk.capture_session import CaptureRequest, CaptureSession
from blender_smirk.operators.capture import drive

from .bench_tracking import looped
from .performance import REPORT, machine

TICK = 0.1  # seconds between two timer events
DEMO = Path(__file__).parent.parent / "smirk_core" / "assets" / "demo" / "demo.mp4"


def capture(media: Path, longest: dict[str, list[tuple[float, float]]]) -> int:
    """One capture into an empty file; returns the frames of its take."""
    bpy.ops.wm.read_homefile(use_empty=True)
    session = CaptureSession(CaptureRequest(str(media)))
    QUEUE.add(session)
    stage = "start"
    while QUEUE.busy:
        wall, processor = time.perf_counter(), time.thread_time()
        drive(bpy.context)
        longest[stage].append((time.perf_counter() - wall, time.thread_time() - processor))
        stage = session.state.value
        time.sleep(TICK)
    if session.state.value != "done":
        raise SystemExit(session.message)
    return int(bpy.context.scene.frame_end)


def measure(media: Path, runs: int) -> dict[str, Any]:
    """Milliseconds of the longest call in each stage."""
    calls: dict[str, list[tuple[float, float]]] = defaultdict(list)
    frames = 0
    for _ in range(runs):
        frames = capture(media, calls)
    return {
        "frames": frames,
        "runs": runs,
        "stages": {
            stage: {
                "calls": len(times),
                "longest_ms": round(1e3 * max(wall for wall, _ in times), 1),
                "longest_processor_ms": round(1e3 * max(processor for _, processor in times), 1),
            }
            for stage, times in calls.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=DEMO)
    parser.add_argument("--minutes", type=float, default=1.0, help="also a clip of this length; 0: not")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/performance.json")
    arguments = parser.parse_args()
    blender_smirk.register()
    figures: dict[str, Any] = {"short": measure(arguments.media, arguments.runs)}
    if arguments.minutes:
        with tempfile.TemporaryDirectory() as folder:
            clip = looped(arguments.media, Path(folder) / "long.mp4", arguments.minutes, (1280, 720))
            figures["long"] = measure(clip, 1)
    blender_smirk.unregister()
    for name, figure in figures.items():
        print(f"{name}: {figure['frames']} frames, {figure['runs']} runs")
        for stage, row in figure["stages"].items():
            print(f"  {stage:<12}{row['calls']:>6} calls, longest {row['longest_ms']:>7.1f} ms, "
                  f"of processor {row['longest_processor_ms']:>7.1f} ms")  # fmt: skip
    if arguments.write:
        report = json.loads(REPORT.read_text(encoding="utf-8"))
        report["capture"] = {
            **figures,
            "media": arguments.media.name,
            "blender": bpy.app.version_string,
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 1),
            "command": "python -m benchmarks.bench_capture --write",
            "machine": machine(),
        }
        REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
    os._exit(0)  # Blender's own shutdown prints about its memory and may hang
