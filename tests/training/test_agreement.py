# SPDX-License-Identifier: Apache-2.0
"""Agreement with MediaPipe: figures by hand, real portraits where they are, a note where the model is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from smirk_core.heads.arkit import ARKIT_INDEX, groups_from_arkit  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from training.agreement import CURVES, agreement, figures  # noqa: E402
from training.mediapipe_scores import mediapipe_scores  # noqa: E402

SHARED = Path(__file__).resolve().parents[3] / "shared"
PORTRAITS = sorted((SHARED / "faces" / "train").glob("*.jpg"))[:12]


def test_figures_by_hand():
    theirs = np.random.default_rng(0).uniform(0, 1, (40, 52))
    mine = 0.5 * theirs
    mine[:, ARKIT_INDEX["jawOpen"]] = 1 - theirs[:, ARKIT_INDEX["jawOpen"]]
    mine[:, ARKIT_INDEX["browInnerUp"]] = 0
    out = figures(mine, theirs)
    assert len(out) == 2 * len(CURVES)
    assert out["mediapipe_agreement_r_eyeBlinkLeft"] == pytest.approx(1)
    assert out["mediapipe_agreement_sign_eyeBlinkLeft"] == 1
    assert out["mediapipe_agreement_r_jawOpen"] == pytest.approx(-1)
    assert out["mediapipe_agreement_sign_jawOpen"] == 0
    assert np.isnan(out["mediapipe_agreement_sign_browInnerUp"])


@pytest.mark.skipif(
    not PORTRAITS or not (SHARED / "media" / "face_landmarker.task").is_file(), reason="needs ../shared"
)
def test_an_encoder_that_copies_mediapipe_agrees_with_it():
    pytest.importorskip("mediapipe")
    pixels = np.stack([np.asarray(Image.open(p).convert("RGB").resize((160, 160))) for p in PORTRAITS])
    scores = mediapipe_scores(pixels)
    assert (np.isfinite(scores).sum(1) >= 51).sum() >= 8  # its 52nd is its own, not our tongueOut
    head = load_head()
    copied = {k: torch.from_numpy(v) for k, v in groups_from_arkit(head, np.nan_to_num(scores)).items()}
    images, notes = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, []
    out = agreement(head, lambda _: copied, [images], notes)
    assert out["mediapipe_agreement_faces"] >= 8 and not notes
    assert [out[f"mediapipe_agreement_r_{n}"] for n in CURVES] == pytest.approx([1.0] * len(CURVES))
    assert {out[f"mediapipe_agreement_sign_{n}"] for n in CURVES} == {1.0}


def test_left_out_with_a_note(monkeypatch, tmp_path):
    monkeypatch.setenv("SMIRK_FACE_LANDMARKER", str(tmp_path / "none.task"))
    notes: list[str] = []

    def never(image: Any) -> Any:
        raise AssertionError

    assert agreement(load_head(), never, [torch.zeros(1, 3, 32, 32)], notes) == {}
    components = cast(Any, SimpleNamespace(name="FLAME", expression_names=("expression_0",)))
    assert agreement(components, never, [torch.zeros(1, 3, 32, 32)], notes) == {}
    assert "face_landmarker.task is missing" in notes[0] and "FLAME has no expressions" in notes[1]
