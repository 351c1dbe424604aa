# SPDX-License-Identifier: Apache-2.0
"""These tests run in Blender's own Python module; without it the whole folder is skipped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("bpy") else ["test_*.py"]
# Before bpy is imported anywhere: never touch the settings of the person who runs the tests.
_RESOURCES = tempfile.TemporaryDirectory(prefix="blender-user-")
os.environ["BLENDER_USER_RESOURCES"] = _RESOURCES.name


@pytest.fixture(autouse=True)
def empty_scene() -> Iterator[None]:
    """Every test starts from an empty file; add-ons stay enabled."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    yield
