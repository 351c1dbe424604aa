# SPDX-License-Identifier: Apache-2.0
"""Every sample of the documentation runs, in a process of its own, as a person would start it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "docs" / "samples"
DEMO = ROOT / "smirk_core" / "assets" / "demo" / "demo.take.npz"

pytestmark = pytest.mark.skipif(find_spec("bpy") is None, reason="needs Blender's Python module")

# Leave without Blender's own shutdown, which may hang in the plain module.
RUN = "import os, runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); os._exit(0)"


def run(name: str, *arguments: object, folder: Path, dashes: bool = False) -> str:
    """Start a sample; ``dashes`` passes its arguments as Blender does."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "BLENDER_USER_RESOURCES": str(folder / "user"),
        "PYTHONUNBUFFERED": "1",
    }
    given = [*(["-b", "--python", name, "--"] if dashes else []), *map(str, arguments)]
    command = [sys.executable, "-c", RUN, str(SAMPLES / name), *given]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def short_take(tmp_path: Path) -> Path:
    """Ten frames of the demo's take, without its footage."""
    from dataclasses import replace

    from smirk_core.take import load_take

    take = load_take(DEMO)

    def cut(layer: object) -> dict[str, np.ndarray]:
        return {k: v[:10] for k, v in dict(layer).items()}  # pyright: ignore

    info = replace(take.info, source="")
    return replace(take, info=info, times=take.times[:10], raw=cut(take.raw), filtered=cut(take.filtered)).save(
        tmp_path / "short.take.npz"
    )


def blend_is_whole(path: Path) -> bool:
    """A compressed .blend: Zstandard's mark."""
    return path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd" and path.stat().st_size > 50_000


def test_every_sample_is_tested_and_listed():
    names = sorted(p.name for p in SAMPLES.glob("*.py"))
    here, listed = Path(__file__).read_text(encoding="utf-8"), (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert [n[:2] for n in names] == [f"{i:02}" for i in range(1, len(names) + 1)]
    assert all(f'"{n}"' in here and f"({n})" in listed for n in names)


def test_photo(tmp_path: Path, photo: Path, detector: None):
    run("01_photo.py", photo, tmp_path / "face.blend", folder=tmp_path)
    assert blend_is_whole(tmp_path / "face.blend")


def test_video(tmp_path: Path, clip: Path, detector: None):
    told = run("02_video.py", clip, tmp_path / "clip.blend", folder=tmp_path)
    assert blend_is_whole(tmp_path / "clip.blend") and "16" in told
    from smirk_core.take import load_take

    assert len(load_take(tmp_path / "clip.take.npz")) == 16


def test_several_faces(tmp_path: Path, photo: Path, detector: None):
    from PIL import Image

    one = np.asarray(Image.open(photo).convert("RGB"))[:400, 50:450]
    Image.fromarray(np.hstack([one, one[:, ::-1]])).save(tmp_path / "two.png")
    told = run("03_several_faces.py", tmp_path / "two.png", tmp_path / "two.blend", folder=tmp_path)
    assert "Person 1: 1 frame\n" in told and "Person 2: 1 frame\n" in told
    assert blend_is_whole(tmp_path / "two.blend")


def test_refine(tmp_path: Path, short_take: Path):
    run("04_refine_a_take.py", short_take, tmp_path / "a.blend", folder=tmp_path, dashes=True)
    assert blend_is_whole(tmp_path / "a.blend")


def test_flame(tmp_path: Path, flame_file: Path):
    rng = np.random.default_rng(0)
    sizes = {"shape_params": 300, "expression_params": 50, "pose_params": 3, "jaw_params": 3, "eyelid_params": 2}
    np.savez(tmp_path / "results.npz", **{k: 0.1 * rng.standard_normal((5, n)) for k, n in sizes.items()})
    run("05_flame.py", flame_file, tmp_path / "results.npz", tmp_path / "flame.blend", folder=tmp_path)
    assert blend_is_whole(tmp_path / "flame.blend")


def test_bake_and_export(tmp_path: Path, short_take: Path):
    run("06_bake_and_export.py", short_take, tmp_path / "a.glb", folder=tmp_path)
    assert (tmp_path / "a.glb").read_bytes()[:4] == b"glTF"
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 11


def test_character(tmp_path: Path, short_take: Path):
    """The exported head of another sample is as good a character as any: keys with ARKit's names and bones."""
    run("06_bake_and_export.py", short_take, tmp_path / "hero.glb", folder=tmp_path)
    told = run("07_character.py", tmp_path / "hero.glb", short_take, tmp_path / "hero.blend", folder=tmp_path)
    assert blend_is_whole(tmp_path / "hero.blend") and "bones move" in told
    assert "\n41 of 52 channels" in told  # gaze and the jaw are bones of that head
