# SPDX-License-Identifier: Apache-2.0
"""The demo and the doctor: what a fresh machine sees first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smirk_core import demo as module
from smirk_core.demo import demo, demo_clip
from smirk_core.doctor import Report, examine
from smirk_core.errors import AssetError, SmirkError
from smirk_core.heads.library import load_head
from smirk_core.take import load_take


@pytest.fixture
def without_pictures(monkeypatch):
    """Previews have tests of their own and take long."""
    import smirk_core.rendering.preview as preview

    def small(take, output, **options):
        Path(output).write_bytes(b"picture")
        return Path(output)

    monkeypatch.setattr(preview, "preview", small)


def test_demo_writes_what_it_says_and_states_its_error(detector, without_pictures, monkeypatch, tmp_path):
    scenes = []

    def write(takes, path):
        scenes.append(takes)
        Path(path).write_bytes(b"blend")
        return Path(path)

    monkeypatch.setattr(module, "scene_writer", lambda: write)
    said: list[str] = []
    written = demo(tmp_path / "out", say=said.append)
    assert sorted(written) == sorted((tmp_path / "out").iterdir())
    assert {p.name for p in written} >= {"photo.png", "photo.blend", "clip.blend", "clip.take.npz", "clip_preview.mp4"}
    assert all(any(str(path) in line for line in said) for path in written)
    assert [len(takes[0]) for takes in scenes] == [1, len(demo_clip()[1])]
    error = json.loads((tmp_path / "out" / "clip_error.json").read_text())
    take = load_take(tmp_path / "out" / "clip.take.npz")
    assert error["frames"] == len(take) and take.info.head_digest == load_head().digest
    assert error["active"]["jawOpen"]["correlation"] > 0.8 and error["landmark_error"] < 0.05
    assert any(f"{error['correlation']:.3f}" in line for line in said)


def test_demo_without_blender_says_so_and_goes_on(detector, without_pictures, monkeypatch, tmp_path):
    def missing():
        raise SmirkError("no bpy")

    def far_enough(*_):
        raise SmirkError("far enough")

    monkeypatch.setattr(module, "scene_writer", missing)
    monkeypatch.setattr(module, "compare", far_enough)
    said: list[str] = []
    with pytest.raises(SmirkError, match="far enough"):
        demo(tmp_path, say=said.append)
    assert "no bpy" in said[0] and not list(tmp_path.glob("*.blend")) and (tmp_path / "photo.take.npz").exists()


def test_a_missing_demo_clip_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "DEMO_FOLDER", tmp_path)
    with pytest.raises(AssetError, match="demo clip is missing"):
        demo_clip()


def test_the_doctor_tells_needed_from_optional(monkeypatch):
    report = Report()

    def broken() -> str:
        raise SmirkError("it is gone")

    report.add("optional", broken)
    assert not report.problems
    report.add("needed", broken, needed=True)
    report.add("fine", lambda: "1.0")
    assert report.problems == ["needed: it is gone"]
    assert "not here: it is gone" in report.text and "missing: it is gone" in report.text and "1.0" in report.text


def test_the_doctor_sees_a_missing_head(monkeypatch, tmp_path):
    from smirk_core.heads import library

    def gone(*_):
        raise AssetError("There is no head file.")

    monkeypatch.setattr(library, "load_head", gone)
    assert "head: There is no head file." in examine().problems
