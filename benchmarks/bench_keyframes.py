# SPDX-License-Identifier: Apache-2.0
"""How long it takes to key a take: our bulk writing against ``keyframe_insert``, the call that scripts use.

    python benchmarks/bench_keyframes.py [--out FILE.json]

``keyframe_insert`` is timed up to 1,200 frames; it grows with the square of the length, so the ratio is given where
both were really run, and the longer clip is stated as our time alone.
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

from blender_smirk.actions import Channel, key_action

CHANNELS = 60
INSERT_FRAMES = (150, 300, 600, 1200)
BULK_FRAMES = (*INSERT_FRAMES, 9000)


def _object_with_keys() -> bpy.types.Object:
    mesh = bpy.data.meshes.new("head")
    mesh.vertices.add(8)
    obj = bpy.data.objects.new("head", mesh)
    bpy.context.scene.collection.objects.link(obj)
    obj.shape_key_add(name="Basis")
    for i in range(CHANNELS):
        obj.shape_key_add(name=f"key{i}")
    return obj


def _bulk(values: np.ndarray) -> float:
    bpy.ops.wm.read_homefile(use_empty=True)
    keys = _object_with_keys().data.shape_keys
    frames = np.arange(1.0, len(values) + 1)
    start = time.perf_counter()
    channels = [Channel(f'key_blocks["key{i}"].value', 0, values[:, i]) for i in range(CHANNELS)]
    key_action("take", [(keys, channels)], frames)
    return time.perf_counter() - start


def _insert(values: np.ndarray) -> float:
    bpy.ops.wm.read_homefile(use_empty=True)
    blocks = _object_with_keys().data.shape_keys.key_blocks
    start = time.perf_counter()
    for frame, row in enumerate(values.tolist(), start=1):
        for i, value in enumerate(row):
            block = blocks[i + 1]
            block.value = value
            block.keyframe_insert("value", frame=frame)
    return time.perf_counter() - start


def measure() -> dict[str, object]:
    """Times in seconds, median of five runs (bulk) or one run (insert), by number of frames."""
    rng = np.random.default_rng(0)
    rows = []
    for frames in BULK_FRAMES:
        values = rng.random((frames, CHANNELS))
        bulk = statistics.median(_bulk(values) for _ in range(5))
        insert = _insert(values) if frames in INSERT_FRAMES else None
        rows.append({
            "frames": frames,
            "bulk_s": round(bulk, 5),
            "keyframe_insert_s": None if insert is None else round(insert, 3),
            "ratio": None if insert is None else round(insert / bulk, 1),
        })  # fmt: skip
    return {
        "what": f"keying {CHANNELS} shape-key channels",
        "blender": bpy.app.version_string,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    out = parser.parse_args().out
    result = measure()
    print(f"{result['what']}, Blender {result['blender']}")
    print("| frames | bulk s | keyframe_insert s | ratio |\n|---|---|---|---|")
    rows = result["rows"]
    assert isinstance(rows, list)
    for row in rows:
        insert, ratio = row["keyframe_insert_s"], row["ratio"]
        print(f"| {row['frames']} | {row['bulk_s']:.4f} | {insert or '–'} | {ratio or '–'} |")
    if out is not None:
        out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
