# SPDX-License-Identifier: Apache-2.0
"""Runs inside the bare Blender of :mod:`release.bare_blender`: the slim zip, which tracks in the person's own Python.

Arguments: zip or ``index.json`` of a repository, photo, Python, file for the findings (JSON).
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import bpy

archive, photo, python, findings = sys.argv[1:5]
found: dict = {"scipy": importlib.util.find_spec("scipy") is not None}
if archive.endswith(".json"):
    bpy.context.preferences.system.use_online_access = True  # Blender asks for it even where the address is a file
    repository = bpy.context.preferences.extensions.repos.new(
        name="Studio", module="studio", remote_url=Path(archive).as_uri()
    )
    index = list(bpy.context.preferences.extensions.repos).index(repository)
    found["sync"] = sorted(bpy.ops.extensions.repo_sync(repo_index=index))
    found["install"] = sorted(bpy.ops.extensions.package_install(repo_index=index, pkg_id="smirk"))
else:
    repository = bpy.context.preferences.extensions.repos["user_default"]
    found["install"] = sorted(
        bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    )
module = f"bl_ext.{repository.module}.smirk"
preferences = bpy.context.preferences.addons[module].preferences


def attempt(work) -> str:
    """Done, or the report."""
    try:
        return ",".join(work())
    except RuntimeError as error:
        return str(error)


found["before"] = attempt(lambda: bpy.ops.smirk.test_engine())
preferences.python = python
found["after"] = attempt(lambda: bpy.ops.smirk.test_engine())
found["report"] = json.loads(preferences.engine_report)
found["photo"] = attempt(lambda: bpy.ops.smirk.capture(filepath=photo))
found["meshes"] = [len(m.vertices) for m in bpy.data.meshes]
found["mediapipe"] = importlib.util.find_spec("mediapipe") is not None
Path(findings).write_text(json.dumps(found), encoding="utf-8")
sys.stdout.flush()
os._exit(0)
