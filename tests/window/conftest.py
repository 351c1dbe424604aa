# SPDX-License-Identifier: Apache-2.0
"""A real Blender in a virtual display, for the tests of this folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PURE = ("array_api_compat", "threadpoolctl")  # what Blender's own Python lacks and any Python can load


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    return Path(os.environ.get("SMIRK_WINDOW_PICTURES") or tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def window(tmp_path_factory, pictures):
    """Plays a scenario; returns Blender's output."""
    if sys.version_info >= (3, 13):
        pytest.skip("Blender's window runs its own Python: once, beside Python 3.11, is enough")
    if not (shutil.which("blender") and shutil.which("xvfb-run")):
        pytest.skip("blender and xvfb-run are not installed")
    home = tmp_path_factory.mktemp("blender")
    addons = home / "scripts" / "addons"
    addons.mkdir(parents=True)
    (addons / "blender_smirk").symlink_to(ROOT / "blender_smirk")
    packages = home / "packages"
    packages.mkdir()
    (packages / "smirk_core").symlink_to(ROOT / "smirk_core")
    for name in PURE:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        origin = Path(spec.origin)
        target = origin.parent if origin.name == "__init__.py" else origin
        (packages / target.name).symlink_to(target)
    environment = {
        **os.environ,
        "BLENDER_USER_CONFIG": str(home / "config"),
        "BLENDER_USER_SCRIPTS": str(home / "scripts"),
        "PYTHONPATH": str(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "SMIRK_PYTHON": sys.executable,
    }

    def run(scenario: str, **settings: object) -> str:
        blender = ["blender", "--factory-startup", "--enable-event-simulate", "--python-use-system-env"]
        blender += ["--window-geometry", "0", "0", "1600", "1000", "--python", str(HERE / "driver.py")]
        arguments = [scenario, str(pictures), *(f"{k}={v}" for k, v in settings.items())]
        done = subprocess.run(
            ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *blender, "--", *arguments],
            env=environment, capture_output=True, text=True, timeout=600, cwd=home,
        )  # fmt: skip
        output = done.stdout + done.stderr
        if "Error: couldn't" in output or "Failed to create" in output:
            pytest.skip("no window could be opened here")
        assert done.returncode == 0, output[-4000:]
        return output

    return run
