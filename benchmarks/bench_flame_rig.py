# SPDX-License-Identifier: Apache-2.0
"""What a frame of a FLAME head costs in Blender, and how exact it is; updates docs/performance.json.

    python -m benchmarks.bench_flame_rig [--head generic_model.pkl] [--dry]

Every frame moves 50 expressions, two lids and four bones; 36 correctives and the five joints follow by drivers. Without
``--head`` the tests' stand-in of FLAME's sizes is used. Run it once per Blender: figures are kept by version.
``frame_cpu_ms`` is the processor time of all threads, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from blender_smirk.actions import apply_action, write_action
from blender_smirk.key_names import names_of
from blender_smirk.rig import HeadObjects, build_head
from blender_smirk.shape_keys import to_blender
from smirk_core.heads.decode import decode
from smirk_core.heads.flame import load_flame
from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take, TakeInfo

from .performance import REPORT, ROOT, machine

FRAMES = 250
CASES: dict[str, dict[str, Any]] = {
    "baked identity": {},
    "baked identity, lids after skinning": {"eyelids": "faithful"},
    "10 live identity sliders": {"identity_keys": 10},
    "50 live identity sliders": {"identity_keys": 50},
    "300 live identity sliders": {"identity_keys": "all"},
}


def _take(model: HeadModel) -> Take:
    rng = np.random.default_rng(0)
    groups = {
        "expression": rng.uniform(-3, 3, (FRAMES, model.expression_size)),
        "eyelids": rng.uniform(0, 1, (FRAMES, 2)),
        "rotation": rng.uniform(-0.6, 0.6, (FRAMES, 3)),
        "neck": rng.uniform(-0.3, 0.3, (FRAMES, 3)),
        "jaw": rng.uniform(0, 0.4, (FRAMES, 3)),
        "eyes": rng.uniform(-0.4, 0.4, (FRAMES, 4)),
    }
    info = TakeInfo(head=model.name, rate=25.0)
    return Take(info, np.arange(FRAMES) / 25.0, rng.standard_normal(model.identity_size), groups, groups)


def _shown(head: HeadObjects) -> np.ndarray:
    mesh = head.mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def measure(model: HeadModel, **options: Any) -> dict[str, Any]:
    """Build, frame and slider times, and the largest distance to the decoder over all frames."""
    bpy.ops.wm.read_homefile(use_empty=True)
    take = _take(model)
    begin = time.perf_counter()
    head = build_head(model, take.identity, "Head", **options)
    built = time.perf_counter() - begin
    apply_action(write_action(take, model, head, "Take", rate=25.0), head.armature, head.keys)
    exact = replace(model, eyelids_after_skinning=options.get("eyelids") == "faithful")
    truth = to_blender(decode(exact, take.parameters()).vertices)
    times, busy, worst = [], [], 0.0
    for frame in range(FRAMES):
        begin, before = time.perf_counter(), time.process_time()
        bpy.context.scene.frame_set(1 + frame)
        times.append(time.perf_counter() - begin)
        busy.append(time.process_time() - before)
        worst = max(worst, float(np.abs(_shown(head) - truth[frame]).max()))
    result = {
        "build_s": round(built, 3),
        "frame_ms": round(1e3 * statistics.median(times), 2),
        "frame_cpu_ms": round(1e3 * statistics.median(busy), 2),
        "frame_ms_best_tenth": round(1e3 * float(np.percentile(times, 10)), 2),
        "frame_ms_95": round(1e3 * float(np.percentile(times, 95)), 2),
        "worst_m": float(f"{worst:.1e}"),
    }
    if "identity_keys" in options:
        slider, moves = head.keys.key_blocks[names_of(head.mesh, model).identity[0]], []
        for value in np.linspace(-3, 3, 50):
            begin = time.perf_counter()
            slider.value = value
            bpy.context.view_layer.update()
            moves.append(time.perf_counter() - begin)
        result["slider_ms"] = round(1e3 * statistics.median(moves), 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=Path, help="a FLAME .pkl; the tests' stand-in where not given")
    parser.add_argument("--dry", action="store_true", help="do not write the figures down")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.head
        if path is None:
            sys.path.insert(0, str(ROOT / "tests"))
            from flame_stand_in import write_all

            path = write_all(Path(folder))
        model = load_flame(path, eyelids="rig")
    rows = {name: measure(model, **options) for name, options in CASES.items()}
    version = ".".join(map(str, bpy.app.version[:2]))
    print(f"Blender {bpy.app.version_string}")
    for name, row in rows.items():
        print(f"{name}: {row}")
    if not args.dry:
        report = json.loads(REPORT.read_text(encoding="utf-8"))
        made = {"command": "python -m benchmarks.bench_flame_rig", "machine": machine()}
        report.setdefault("flame_rig", {})[version] = {"head": model.name, "frames": FRAMES, "rows": rows, **made}
        REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
