# SPDX-License-Identifier: Apache-2.0
"""The panels Takes, Refine and Scene in a real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toys import make_take

from smirk_core.heads.library import load_head
from smirk_core.take import Take


@pytest.fixture(scope="session")
def lossy_take(tmp_path_factory) -> Path:
    """A performance of the bundled head that the tracker lost sight of twice."""
    head = load_head("open")
    take = make_take(head, 75, seed=4)
    raw = dict(take.raw)
    raw["expression"] = 0.35 * raw["expression"] * (np.arange(head.expression_size) % 5 == 0)
    raw["rotation"], raw["neck"], raw["jaw"] = (
        0.6 * raw["rotation"],
        0 * raw["neck"],
        0.3 * np.abs(raw["jaw"]) * [1, 0, 0],
    )
    raw["eyelids"] = 0.2 * raw["eyelids"]
    raw["camera"] = np.tile([1300.0, 320.0, 240.0], (75, 1))
    raw["visibility"] = np.ones((75, 1))
    raw["visibility"][[*range(30, 38), *range(70, 75)]] = 0
    raw["confidence"] = (0.55 + 0.4 * np.sin(np.arange(75) / 7)[:, None]).clip(0, 1) * raw["visibility"]
    return Take(take.info, take.times, 0 * take.identity, raw, raw).save(
        tmp_path_factory.mktemp("take") / "interview.take.npz"
    )


def test_a_take_is_refined_and_undone(window, pictures, lossy_take):
    window("refine_scenarios:refine", take=lossy_take)
    assert (pictures / "takes.png").is_file() and (pictures / "refined.png").is_file()


def test_the_scene_panel_changes_the_lens(window, pictures, lossy_take):
    window("refine_scenarios:scene", take=lossy_take)
    assert (pictures / "scene.png").is_file()


def test_edits_are_asked_about(window, pictures, lossy_take):
    window("refine_scenarios:edited", take=lossy_take)
    assert (pictures / "edited.png").is_file()
