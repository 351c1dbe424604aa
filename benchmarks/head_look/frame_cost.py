# SPDX-License-Identifier: Apache-2.0
"""What a frame of the full head costs in Blender, bare and with everything that the add-on can give it."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from benchmarks.synthetic import performance_weights
from blender_smirk.actions import apply_action, write_action
from blender_smirk.materials import add_materials
from blender_smirk.rig import build_head
from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take, TakeInfo

from .dressing import Person, dress
from .studio import Studio
from .subject import Pose, Subject

__all__ = ["measure_frame_cost"]

FRAMES = 250


def _take(model: HeadModel) -> Take:
    groups = groups_from_arkit(model, performance_weights(np.random.default_rng(4), FRAMES))
    groups["rotation"] = np.random.default_rng(4).uniform(-0.3, 0.3, (FRAMES, 3))
    info = TakeInfo(head=model.name, head_digest=model.digest, rate=25.0)
    return Take(info, np.arange(FRAMES) / 25.0, np.zeros(model.identity_size), groups, groups)


def measure_frame_cost(model: HeadModel) -> dict[str, Any]:
    """Milliseconds a frame: every frame moves all curves, the jaw, the eyes and the head."""
    take, rows = _take(model), {}
    for name in ("bare", "dressed", "dressed, without wrinkles"):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        head = build_head(model, take.identity, "Head")
        if name == "bare":
            add_materials(head.mesh, model)
        else:
            dress(head, model, Person(0), wrinkles=name == "dressed")
        apply_action(write_action(take, model, head, "Take", rate=25.0), head.armature, head.keys)
        times, busy = [], []
        for frame in range(FRAMES):
            begin, before = time.perf_counter(), time.process_time()
            bpy.context.scene.frame_set(1 + frame)
            times.append(time.perf_counter() - begin)
            busy.append(time.process_time() - before)
        rows[name] = {
            "frame_ms": round(1e3 * statistics.median(times), 2),
            "frame_cpu_ms": round(1e3 * statistics.median(busy), 2),
            "frame_ms_95": round(1e3 * float(np.percentile(times, 95)), 2),
        }
    rows["solid view, 512 px, drawn without a graphics card"] = _drawing(model)
    return rows


def _drawing(model: HeadModel) -> dict[str, Any]:
    """A picture of Blender's solid view, synchronisation and drawing together, on software OpenGL."""
    studio, subject = Studio(512, 1), Subject(model)
    subject.become(Person(0))
    studio.scene.display.render_aa = "FXAA"  # a viewport refines only while it rests
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(12):
            subject.pose(Pose({"jawOpen": 0.05 * k, "mouthSmileLeft": 0.04 * k}))
            studio.aim(subject.place("head", Pose()), 0.31)
            studio.scene.render.engine = "BLENDER_WORKBENCH"
            studio.scene.render.filepath = str(Path(folder) / "picture.png")
            begin = time.process_time()
            bpy.ops.render.render(write_still=False)
            times.append(time.process_time() - begin)
    return {"frame_cpu_ms": round(1e3 * statistics.median(times[2:]), 1)}
