# SPDX-License-Identifier: Apache-2.0
"""Size of the extension's zips, and the time from a fresh install to an animated head; offline.

    python -m benchmarks.bench_install --media interview_720p.mp4 [--task face_landmarker.task]

Needs the wheels in the cache (``python build_addon.py`` fills it). The clip is played until it is five seconds long.
The clock runs from Blender's start to the keyed head, in a user folder that was empty before, so it includes starting
Blender's module, unpacking the wheels and the worker's first start.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.performance import REPORT, machine
from release.bare_blender import Home, bare_blender
from release.blender_tool import find_tool
from release.extension import build_extension
from release.targets import BLENDERS, PLATFORMS, ROOT

_DRIVER = """
import json, os, sys, time
import bpy
start = time.time()
bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
installed = time.time()
bpy.ops.wm.read_homefile(use_empty=True)
bpy.ops.smirk.capture(filepath=sys.argv[2])
done = time.time()
actions = [len(a.name) for a in bpy.data.actions]
print("RESULT", json.dumps([start, installed, done, bpy.context.scene.frame_end, len(actions)]), flush=True)
os._exit(0)
"""


def zip_sizes(folder: Path, cache: Path, task: Path | None) -> dict[str, float]:
    """Megabytes (10**6 bytes) of every zip by name."""
    tool = find_tool()
    targets = [(b, p) for b in BLENDERS for p in [*PLATFORMS, None]]
    made = [build_extension(b, p, folder, cache, tool, task if b == "5.2" else None) for b, p in targets]
    return {path.name.split("-", 2)[2].removesuffix(".zip"): round(path.stat().st_size / 1e6, 1) for path in made}


def five_seconds(media: Path, path: Path) -> int:
    """``media`` again and again until it is five seconds long, as a new file; returns how many frames that are."""
    import av

    with av.open(str(media)) as source:
        stream = source.streams.video[0]
        rate = Fraction(stream.average_rate or 25)
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(stream)]
    count = round(5 * rate)
    with av.open(str(path), "w") as container:
        out = container.add_stream("mpeg4", rate=rate)
        out.height, out.width = frames[0].shape[:2]
        out.pix_fmt, out.bit_rate = "yuv420p", 6_000_000
        for i in range(count):
            container.mux(out.encode(av.VideoFrame.from_ndarray(frames[i % len(frames)], format="rgb24")))
        container.mux(out.encode(None))
    return count


def fresh_install(archive: Path, clip: Path, folder: Path) -> dict[str, Any]:
    """Seconds from the start of a Blender that has never been used to the keyed head."""
    python, home = bare_blender(folder / "blender"), Home(folder / "person")
    driver = folder / "driver.py"
    driver.write_text(_DRIVER, encoding="utf-8")
    begin = time.time()
    result = subprocess.run(
        [str(python), "-I", str(driver), str(archive), str(clip)],
        cwd=folder, env=home.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = [text for text in result.stdout.splitlines() if text.startswith("RESULT")]
    start, installed, done, last, actions = json.loads(line.removeprefix("RESULT"))
    if not actions:
        raise RuntimeError(f"No head came out: {result.stdout[-2000:]}")
    return {
        "start_blender_s": round(start - begin, 1),
        "install_s": round(installed - start, 1),
        "capture_s": round(done - installed, 1),
        "total_s": round(done - begin, 1),
        "last_frame": last,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--media", type=Path, required=True, help="a 720p clip")
    parser.add_argument("--task", type=Path, help="face_landmarker.task, for Blender 5.2")
    parser.add_argument("--wheels", type=Path, default=Path(os.environ.get("SMIRK_WHEELS") or ROOT / ".wheels"))
    options = parser.parse_args()
    blender = {(3, 11): "4.5", (3, 13): "5.2"}[sys.version_info[:2]]
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = zip_sizes(folder / "zips", options.wheels, options.task)
        frames = five_seconds(options.media, folder / "clip.mp4")
        archive = next((folder / "zips").glob(f"*-blender{blender}-linux-x64.zip"))
        figures = fresh_install(archive, folder / "clip.mp4", folder)
    load = round(os.getloadavg()[0], 1)
    command = "python -m benchmarks.bench_install"
    report["zip_size"] = {"megabytes": sizes, "command": command, "machine": machine()}
    figures |= {"frames": frames, "load": load, "command": command, "machine": machine()}
    report.setdefault("fresh_install", {})[f"blender{blender}"] = figures
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"zip_size": sizes, "fresh_install": figures}, indent=1))


if __name__ == "__main__":
    main()
