# SPDX-License-Identifier: Apache-2.0
"""Portraits are fitted once, in parts that survive an interruption; what is no face is counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("mediapipe.python.solutions.face_mesh")

from smirk_core.errors import TrainingError
from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.library import load_head
from training.data import fit_portraits as module
from training.data.detection import PictureDetector
from training.data.fit_portraits import GROUPS, fit_portraits, load_fits

FACE = Path(__file__).resolve().parents[1] / "data" / "face.png"


def test_a_folder_is_fitted_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    folder = tmp_path / "faces"
    (folder / "more").mkdir(parents=True)
    shutil.copy(FACE, folder / "b.png")
    Image.fromarray(np.full((90, 120, 3), 128, np.uint8)).save(folder / "a.png")
    (folder / "more" / "broken.jpg").write_bytes(b"nothing")
    out = tmp_path / "fits.npz"

    real, parts = module._fit_part, []

    def stops(folder, names, path):
        if len(parts) == 1:
            raise KeyboardInterrupt
        parts.append(names)
        real(folder, names, path)

    monkeypatch.setattr(module, "_PART", 2)
    monkeypatch.setattr(module, "_fit_part", stops)
    with pytest.raises(KeyboardInterrupt):
        fit_portraits(folder, out, processes=1)
    assert not out.exists() and len(list(out.with_name("fits.npz.parts").iterdir())) == 1
    done = []
    monkeypatch.setattr(module, "_fit_part", lambda f, names, p: (done.append(names), real(f, names, p)))
    counts = fit_portraits(folder, out, processes=1)
    assert done == [["more/broken.jpg"]] and not out.with_name("fits.npz.parts").exists()
    assert counts == {"used": 1, "no face": 2, "missed the landmarks": 0, "turned too far": 0, "too lively": 0}

    head = load_head("open")
    fits = load_fits(out, head)
    assert list(fits["name"]) == ["a.png", "b.png", "more/broken.jpg"] and list(fits["reason"]) == [1, 0, 1]
    # The fit explains what the detector saw, to a few per cent of the distance between the eyes.
    with PictureDetector("facemesh") as detector:
        seen = detector(np.asarray(Image.open(FACE).convert("RGB")))
    assert seen is not None
    groups = {n: fits[n][1:2].astype(np.float64) for n in GROUPS}
    points = landmark_points(head, decode(head, groups).vertices, head.landmarks["mediapipe_478"])
    places = project(points, groups["camera"])[0, :, :2]
    apart = np.linalg.norm(seen[33, :2] - seen[263, :2])
    assert np.linalg.norm(places - seen[:, :2], axis=1).mean() < 0.05 * apart
    for name in ("browDownLeft", "browInnerUp", "browOuterUpRight"):  # the zero of what is made from the fit
        assert abs(fits["expression"][1, head.expression_names.index(name)]) < 0.02


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(TrainingError, match="no pictures"):
        fit_portraits(tmp_path, tmp_path / "fits.npz")
