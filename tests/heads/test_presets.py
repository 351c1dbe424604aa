# SPDX-License-Identifier: Apache-2.0
"""The expression presets: complete, plausible, each with a picture that shows it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from smirk_core.errors import TakeError
from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.decode import decode
from smirk_core.heads.library import load_head
from smirk_core.heads.presets import PRESETS, preset, preset_groups, sets_channel
from smirk_core.rendering.preset_thumbnails import FOLDER, SIZE, thumbnail

VISEMES = ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"]


def test_all_that_was_promised_is_there():
    names = [p.name for p in PRESETS]
    assert len(set(names)) == len(names)
    assert [n.removeprefix("viseme_") for n in names if n.startswith("viseme_")] == VISEMES
    wanted = "smile laugh frown angry sad surprise disgust fear wink_left wink_right kiss blow tongue"
    assert set(wanted.split()) <= set(names)


@pytest.mark.parametrize("chosen", PRESETS, ids=lambda p: p.name)
def test_weights_are_of_arkit_and_in_range(chosen):
    assert set(chosen.weights) <= set(ARKIT_INDEX)
    assert all(0 < v <= 1 for v in chosen.weights.values())
    assert all(sets_channel(chosen, c) for c in chosen.weights)
    for pair in ("jaw", "mouth"):
        assert not {f"{pair}Left", f"{pair}Right"} <= set(chosen.weights)  # they would cancel out


def test_every_preset_is_a_face_of_its_own():
    model = load_head()
    groups = [preset_groups(model, p) for p in PRESETS]
    stacked = {k: np.concatenate([g[k] for g in groups]) for k in groups[0]}
    shapes = decode(model, stacked).vertices.reshape(len(PRESETS), -1)
    apart = np.linalg.norm(shapes[:, None] - shapes[None], axis=-1)
    np.fill_diagonal(apart, 1.0)
    still = [i for i, p in enumerate(PRESETS) if p.name in ("neutral", "viseme_sil")]
    apart[np.ix_(still, still)] = 1.0
    assert apart.min() > 0.01


def test_lips_meet_where_the_sound_asks_for_it():
    """Closed for m, open for a: the gap between the lips of the bundled head, in millimetres."""
    model = load_head()
    upper, lower = (model.landmarks["mediapipe_478"].triangles[i] for i in (13, 14))

    def gap(name: str) -> float:
        vertices = decode(model, preset_groups(model, preset(f"viseme_{name}"))).vertices[0]
        a, b = (vertices[model.triangles[t]].mean(axis=0) for t in (upper, lower))
        return 1000 * float(np.linalg.norm(a - b))

    assert gap("PP") < gap("SS") < gap("E") < gap("aa")
    assert gap("aa") > 12


def test_unknown_and_unfitting():
    with pytest.raises(TakeError, match="no expression 'happy'"):
        preset("happy")
    from dataclasses import replace

    model = load_head()
    flame = replace(model, expression_names=tuple(f"expression_{i}" for i in range(model.expression_size)))
    with pytest.raises(TakeError, match="no ARKit names"):
        preset_groups(flame, preset("smile"))


def test_pictures_are_there_small_and_of_today():
    files = {p.stem: p for p in FOLDER.glob("*.png")}
    assert set(files) == {p.name for p in PRESETS}
    assert sum(p.stat().st_size for p in files.values()) < 300_000
    model = load_head()
    for name in ("laugh", "viseme_O"):
        stored = np.asarray(Image.open(files[name]).convert("RGBA"), float)
        assert stored.shape == (SIZE, SIZE, 4)
        now = thumbnail(model, preset(name)).astype(float)
        inside = (now[..., 3] > 250) & (stored[..., 3] > 250)
        assert np.abs(stored - now)[inside].mean() < 6  # of 255: the palette's error
