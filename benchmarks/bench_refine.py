# SPDX-License-Identifier: Apache-2.0
"""How long it takes to refine a take in place, against a script that sets key by key.

    python -m benchmarks.bench_refine [--out FILE.json]

Five minutes of the bundled head at 30 frames per second, every layer of the panel on: read the raw take from the
action, apply the layers, write all curves, store the take. The script that it is compared with only writes the same
values, one ``keyframe_points[i].co`` after the other, as add-ons do that smooth their curves.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import bpy
import numpy as np

from blender_smirk import api
from blender_smirk.key_notes import curves_of
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import FRAME_GROUPS
from smirk_core.refine.recipe import FACE_SLIDERS, Recipe
from smirk_core.take import Take, TakeInfo

FRAMES, RATE = 9000, 30.0
RECIPE = Recipe(
    smooth=dict.fromkeys(FACE_SLIDERS, 0.8), bad_frames=True, gaps="interpolate", neutral=1.0,
    gain={"mouth": 1.2, "gaze": 0.9}, mirror=True, offset=0.1,
)  # fmt: skip


def _take(head: HeadModel) -> Take:
    rng = np.random.default_rng(0)
    groups = {}
    for group in FRAME_GROUPS:
        size = head.expression_size if group.size is None else group.size
        walk = np.tanh(np.cumsum(rng.normal(0, 0.05, (FRAMES, size)), axis=0)) + rng.normal(0, 0.01, (FRAMES, size))
        low, high = (group.low, group.high) if group.high < 4 else (-1.0, 1.0)
        groups[group.name] = np.clip(low + (walk + 1) / 2 * (high - low), low, high)
    groups["rotation"] *= 0.2
    groups["camera"] = np.array([1300.0, 320.0, 240.0]) + 5 * groups["camera"]
    groups["visibility"] = (np.arange(FRAMES) % 900 > 20).astype(float)[:, None]
    info = TakeInfo(rate=RATE, width=640, height=480, head=head.name, head_digest=head.digest)
    return Take(info, np.arange(FRAMES) / RATE, np.zeros(head.identity_size), groups, groups)


def _key_by_key(action: bpy.types.Action) -> float:
    values = {}
    for name, curve in curves_of(action):
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        values[name] = points[1::2].tolist()
    start = time.perf_counter()
    for name, curve in curves_of(action):
        for point, value in zip(curve.keyframe_points, values[name], strict=True):
            point.co[1] = value
        curve.update()
    return time.perf_counter() - start


def measure() -> dict[str, object]:
    """Seconds, median of five runs of each way of keying; key by key once."""
    bpy.ops.wm.read_homefile(use_empty=True)
    head = load_head("open")
    action = api.add_take(_take(head), head=head).action
    rows = []
    for keying in (api.Keying("TRACKED"), api.Keying("EVERY"), api.Keying("REDUCED", 0.01)):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            api.refine_take(action, RECIPE, keying=keying)
            times.append(time.perf_counter() - start)
        rows.append({
            "keys": keying.kind,
            "seconds": round(statistics.median(times), 3),
            "count": sum(len(c.keyframe_points) for _, c in curves_of(action)),
        })  # fmt: skip
    api.refine_take(action, RECIPE, keying=api.Keying())
    slow = _key_by_key(action)
    return {
        "what": f"refining {FRAMES} frames of {head.name}, all layers, {sum(1 for _ in curves_of(action))} curves",
        "blender": bpy.app.version_string,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "key_by_key_s": round(slow, 3),
        "rows": [row | {"ratio": round(slow / row["seconds"], 1)} for row in rows],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    out = parser.parse_args().out
    result = measure()
    print(f"{result['what']}, Blender {result['blender']}; writing key by key alone: {result['key_by_key_s']} s")
    print("| keys | seconds | how many | faster than key by key |\n|---|---|---|---|")
    rows = result["rows"]
    assert isinstance(rows, list)
    for row in rows:
        print(f"| {row['keys']} | {row['seconds']} | {row['count']} | {row['ratio']} |")
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
