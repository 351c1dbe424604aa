# SPDX-License-Identifier: Apache-2.0
"""The add-on in a real Blender window, driven by real events, where Blender and a virtual display are installed.

Debian: ``apt-get install blender xvfb python3-numpy``. Pictures stay in the folder named by SMIRK_WINDOW_PICTURES.
"""

from __future__ import annotations

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


def test_escape_stops_a_capture(window, pictures, demo):
    window("escape", media=demo)
    assert (pictures / "escaped.png").is_file()


@pytest.fixture(scope="session")
def demo(detector) -> Path:
    from smirk_core.demo import demo_clip

    return Path(demo_clip()[0])
