# SPDX-License-Identifier: Apache-2.0
"""Runs in the bare Blender of :mod:`release.bare_blender`: installs a zip, uses it, removes it, says what it saw.

Arguments: zip, photo, clip, file for the findings (JSON).
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

import bpy

archive, photo, clip, findings = sys.argv[1:5]
found: dict = {"path": list(sys.path), "python": sys.executable}
MODULE = "bl_ext.user_default.smirk"


def files() -> list[str]:
    root = Path(os.environ["BLENDER_USER_RESOURCES"])
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def enabled() -> bool:
    return MODULE in {a.module for a in bpy.context.preferences.addons}


def heads() -> list[dict]:
    """Every head of the file: how many keys its curves have, and whether anything moves."""
    from bl_ext.user_default.smirk.rig import HeadObjects

    result = []
    for head in {h.armature.name: h for h in map(HeadObjects.of, bpy.data.objects) if h is not None}.values():
        scene, values = bpy.context.scene, []
        for frame in range(scene.frame_start, scene.frame_end + 1):
            scene.frame_set(frame)
            values.append([round(key.value, 5) for key in head.keys.key_blocks])
        result.append({"keys": len(head.keys.key_blocks), "frames": len(values), "moves": values[0] != values[-1]})
    return result


before = files()
start = time.monotonic()
found["install"] = sorted(
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
)
found["install_seconds"] = time.monotonic() - start
found["enabled"] = enabled()
found["panels"] = hasattr(bpy.types, "SMIRK_PT_capture")

import smirk_core  # noqa: E402  # pyright: ignore[reportMissingImports]

found["core"] = smirk_core.__file__
found["addon"] = sys.modules[MODULE].__file__
for name in ("mediapipe", "av", "scipy", "PIL", "onnxruntime"):
    spec = importlib.util.find_spec(name)
    found[name] = spec.origin if spec is not None else None
found["absent"] = [n for n in ("cv2", "matplotlib", "jax", "torch", "pytest") if importlib.util.find_spec(n)]

found["engine"] = sorted(bpy.ops.smirk.test_engine())
preferences = bpy.context.preferences.addons[MODULE].preferences
found["engine_report"] = json.loads(preferences.engine_report)

bpy.ops.wm.read_homefile(use_empty=True)
found["photo"] = sorted(bpy.ops.smirk.capture(filepath=photo))
found["photo_heads"] = heads()

bpy.ops.wm.read_homefile(use_empty=True)
start = time.monotonic()
found["clip"] = sorted(bpy.ops.smirk.capture(filepath=clip))
found["clip_seconds"] = time.monotonic() - start
found["clip_heads"] = heads()

found["disable"] = sorted(bpy.ops.preferences.addon_disable(module=MODULE))
found["disabled"] = not enabled() and not hasattr(bpy.types, "SMIRK_PT_capture")
found["enable"] = sorted(bpy.ops.preferences.addon_enable(module=MODULE))
found["enabled_again"] = enabled() and hasattr(bpy.types, "SMIRK_PT_capture")

repositories = [r.module for r in bpy.context.preferences.extensions.repos]
found["uninstall"] = sorted(
    bpy.ops.extensions.package_uninstall(repo_index=repositories.index("user_default"), pkg_id="smirk")
)
found["gone"] = not enabled() and not hasattr(bpy.types, "SMIRK_PT_capture")
found["left"] = [f for f in files() if f not in before]
Path(findings).write_text(json.dumps(found), encoding="utf-8")
sys.stdout.flush()
os._exit(0)  # without Blender's own shutdown, which may hang
