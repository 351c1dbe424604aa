# SPDX-License-Identifier: Apache-2.0
"""The add-on in a real Blender window, driven by real events, where Blender and a virtual display are installed.

Debian: ``apt-get install blender xvfb python3-numpy``. Pictures stay in the folder named by SMIRK_WINDOW_PICTURES.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image


def test_the_sidebar_shows_our_panels(window, pictures):
    window("empty")
    with Image.open(pictures / "empty.png") as picture:
        assert picture.size == (1600, 1000)


def test_a_capture_from_the_button_to_the_head_is_one_undo_step(window, pictures, demo):
    window("capture", media=demo)
    assert (pictures / "capturing.png").is_file() and (pictures / "captured.png").is_file()


def test_the_tutorial_as_it_is_written(window, pictures, demo):
    """Every step of docs/tutorial.md; its pictures are made here where SMIRK_TUTORIAL_PICTURES names a folder."""
    folder = os.environ.get("SMIRK_TUTORIAL_PICTURES")
    window("tutorial", media=demo, materials=folder or "")
    made = sorted(pictures.glob("[0-9]_*.png"))
    assert len(made) == 6
    for path in made if folder else []:
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((1200, 750), Image.Resampling.LANCZOS)
            small.save(Path(folder) / f"{path.stem}.jpg", quality=86)


@pytest.fixture(scope="session")
def demo(detector) -> Path:
    from smirk_core.demo import demo_clip

    return Path(demo_clip()[0])
