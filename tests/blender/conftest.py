# SPDX-License-Identifier: Apache-2.0
"""These tests run in Blender's own Python module; without it the whole folder is skipped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

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


@pytest.fixture(scope="session")
def wheel_cache() -> Path:
    """Where wheels for the extension lie or are fetched to: $SMIRK_WHEELS, else ``.wheels`` in the checkout."""
    return Path(os.environ.get("SMIRK_WHEELS") or Path(__file__).parents[2] / ".wheels")
