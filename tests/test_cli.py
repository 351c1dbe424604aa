# SPDX-License-Identifier: Apache-2.0
"""The command line as a person meets it: files appear whole, failures are one line and exit code 2."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smirk_core.cli import main
from smirk_core.commands import animate
from smirk_core.commands.options import TrackOptions
from smirk_core.commands.outputs import face_path, plan_outputs, stem_of
from smirk_core.commands.terminal import Bar, Stop, quiet
from smirk_core.errors import Cancelled, ExportError, SmirkError
from smirk_core.take import load_take


@pytest.fixture
def run(capfd, monkeypatch, tmp_path):
    """Run ``smirk ARGUMENTS`` in an empty folder; gives (exit code, standard output, lines of standard error)."""
    monkeypatch.chdir(tmp_path)

    def runner(*arguments: object) -> tuple[int, str, list[str]]:
        capfd.readouterr()
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as error:  # argparse leaves this way
            code = int(error.code or 0)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err.splitlines()

    return runner


@pytest.fixture(scope="session")
def tracked(detector, clip, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("takes") / "drift.take.npz"
    assert main(["track", str(clip), "-o", str(path)]) == 0
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "required: COMMAND"),
        ("fly", "invalid choice"),
        ("track", "required: MEDIA"),
        ("track a.png", "required: -o"),
        ("track a.png -o a.mov", "must end in .npz"),
        ("track a.png b.png -o a.npz", "cannot all go into"),
        ("track a.png -o a.npz --faces none", "--faces"),
        ("track a.png -o a.npz --faces 0", "--faces"),
        ("track a.png -o a.npz --faces -1", "--faces"),
        ("track a.png -o a.npz --step 0", "--step"),
        ("track a.png -o a.npz --start -1", "--start"),
        ("track a.png -o a.npz --start 5 --end 5", "--end"),
        ("track a.png -o a.npz --start x", "invalid int"),
        ("track a.png -o a.npz --neutral-frame -2", "--neutral-frame"),
        ("track a.png -o a.npz --encoder nowhere.pt", "no encoder file"),
        ("track a.png -o a.npz --encoder weights.onnx", "no encoder file"),
        ("track a.png -o a.npz --head generic_model.pkl", "There is no file"),
        ("track a.png -o a.npz --head head.obj", "Cannot use head.obj as a head"),
        ("track a.png -o a.npz --head nowhere.npz", "no head file"),
        ("track a.png -o a.npz --device cuda", "cuda"),
        ("track a.png -o a.npz --device abacus", "invalid choice"),
        ("track a.png -o a.npz --filter blur", "Unknown filter"),
        ("animate a.png -o a.doc", "must end in .blend"),
        ("animate a.png b.png -o out/ --format doc", "must end in .blend"),
        ("preview a.npz -o a.doc", "must end in .mp4"),
        ("preview a.npz -o a.png", "no take file"),
        ("export a.npz -o a.xls", "must end in .csv"),
        ("export a.npz -o a.csv", "no take file"),
        ("export a.npz -o a.csv --layout excel", "invalid choice"),
    ],
)
def test_bad_usage_is_one_line(arguments, says, run, tmp_path):
    code, out, err = run(*arguments.split())
    assert code == 2 and out == ""
    assert len(err) == 1 and err[0].startswith("smirk") and says in err[0]
    assert not list(tmp_path.iterdir())


def make_bad_media(folder: Path, photo: Path, clip: Path) -> dict[str, str]:
    """Name of a broken or faceless file -> a word that its error must hold."""
    grey = Image.fromarray(np.full((120, 160, 3), 128, np.uint8))
    grey.save(folder / "grey.png")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(folder / "dot.png")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    (folder / "cut.png").write_bytes(photo.read_bytes()[:200])
    (folder / "head.mp4").write_bytes(clip.read_bytes()[:60])
    (folder / "folder").mkdir()
    return {
        "grey.png": "No face", "dot.png": "1 x 1", "empty.mp4": "empty", "text.mp4": "text.mp4", "cut.png": "cut.png",
        "head.mp4": "head.mp4", "folder": "folder", "nowhere.png": "no file", "http://x.org/a.mp4": "no file",
    }  # fmt: skip


def test_bad_media_are_one_line_each(run, detector, photo, clip, tmp_path):
    cases = make_bad_media(tmp_path, photo, clip)
    before = sorted(tmp_path.rglob("*"))
    for name, says in cases.items():
        code, out, err = run("track", name, "-o", "new.take.npz")
        assert code == 2 and out == "", name
        assert len(err) == 1 and says in err[0], (name, err)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_may_not_be_read(run, detector, photo, tmp_path):
    if os.geteuid() == 0:  # root may read every file but this one
        secret = Path("/proc/self/mem")
    else:
        secret = tmp_path / "secret.png"
        secret.write_bytes(photo.read_bytes())
        secret.chmod(0)
    code, out, err = run("track", secret, "-o", "new.take.npz")
    assert code == 2 and out == "" and len(err) == 1 and str(secret) in err[0]


def test_photo_to_take(run, detector, photo):
    code, out, err = run("track", photo, "-o", "deep/er/a.take.npz")
    assert (code, err) == (0, []) and out == "Wrote deep/er/a.take.npz\n"
    take = load_take("deep/er/a.take.npz")
    assert len(take) == 1 and take.info.kind == "photo" and take.info.source == str(photo)


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "I;16"])
def test_odd_pictures(run, detector, photo, tmp_path, mode):
    picture = Image.open(photo)
    if mode == "I;16":
        Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257).save(tmp_path / "a.tiff")
    else:
        picture.convert(mode).save(tmp_path / "a.tiff")
    assert run("track", "a.tiff", "-o", "a.take.npz")[0] == 0


def test_clip_with_range_and_filters(run, detector, clip):
    code, _, err = run(
        "track", clip, "-o", "a.npz", "--start", 2, "--end", 13, "--step", 2, "--filter", "median:window=3",
        "--filter", "savgol:window=5,order=2,mouth=0.5",
    )  # fmt: skip
    assert (code, err) == (0, [])
    take = load_take("a.npz")
    np.testing.assert_allclose(take.times, np.arange(2, 13, 2) / 25, atol=0.001)
    assert [layer["kind"] for layer in take.info.filters] == ["median", "savgol"]
    assert not np.array_equal(take.raw["camera"], take.filtered["camera"]) or len(take) < 3


def test_batch_goes_on_after_a_failure(run, detector, photo, clip, tmp_path):
    (tmp_path / "broken.png").write_text("no")
    code, out, err = run("track", photo, "broken.png", clip, "-o", "takes/")
    assert code == 2
    assert sorted(p.name for p in (tmp_path / "takes").iterdir()) == ["astronaut.take.npz", "drift.take.npz"]
    assert out.count("Wrote") == 2
    assert len(err) == 2 and "broken.png" in err[0] and "2 of 3 done" in err[1]


def test_truncated_clip_is_a_shorter_take_with_a_note(run, detector, tracked, tmp_path, clip):
    content = clip.read_bytes()
    mpeg = tmp_path / "cut.mpg"
    import av

    with av.open(str(clip)) as source, av.open(str(mpeg), "w", format="mpeg") as target:
        stream = target.add_stream("mpeg1video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 320, "yuv420p", 3_000_000
        for frame in source.decode(video=0):
            for packet in stream.encode(frame.reformat(format="yuv420p")):
                target.mux(packet)
        for packet in stream.encode():
            target.mux(packet)
    content = mpeg.read_bytes()
    mpeg.write_bytes(content[: len(content) * 3 // 5])
    assert run("track", mpeg, "-o", "a.npz")[0] == 0
    assert 1 < len(load_take("a.npz")) < 16


def test_ctrl_c_while_reading_keeps_what_was_read(run, detector, clip, monkeypatch, tmp_path):
    draw = Bar.__call__

    def press(self, stage, done, total):
        if stage == "Reading faces" and done == 6:
            os.kill(os.getpid(), signal.SIGINT)
        draw(self, stage, done, total)

    monkeypatch.setattr(Bar, "__call__", press)
    code, out, err = run("track", clip, clip, "-o", "out/")
    assert code == 2 and out.count("Wrote") == 1
    assert "kept 7 frames (cancelled after 7 of 16 frames)" in err[0] and "0 of 2 done" in err[-1]
    take = load_take(next((tmp_path / "out").iterdir()))
    assert len(take) == 7 and "cancelled" in take.info.notes


def test_ctrl_c_while_solving_lets_the_take_finish(run, detector, clip, monkeypatch):
    draw = Bar.__call__

    def press(self, stage, done, total):
        if stage == "Solving":
            monkeypatch.setattr(Bar, "__call__", draw)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Bar, "__call__", press)
    code, _, err = run("track", clip, "-o", "a.npz")
    assert (code, err) == (0, []) and len(load_take("a.npz")) == 16


def test_ctrl_c_in_a_preview_leaves_no_file(run, tracked, monkeypatch, tmp_path):
    def press(self, stage, done, total):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Bar, "__call__", press)
    code, out, err = run("preview", tracked, "-o", "a.mp4")
    assert code == 2 and out == "" and err == ["smirk: Stopped; nothing was kept."]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".csv", ".json", ".npz"])
def test_export(suffix, run, tracked, tmp_path):
    code, out, err = run("export", tracked, "-o", f"a{suffix}")
    assert (code, err) == (0, []) and out == f"Wrote a{suffix}\n"
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]


def test_export_of_a_take_of_another_head(run, toy_take, toy_head_file, tmp_path):
    toy_take.save(tmp_path / "toy.take.npz")
    code, _, err = run("export", "toy.take.npz", "-o", "a.csv")
    assert code == 2 and "made with toy-1" in err[0] and not (tmp_path / "a.csv").exists()
    assert run("export", "toy.take.npz", "-o", "a.csv", "--head", toy_head_file)[0] == 0
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + len(toy_take)


def test_export_of_meshes(run, tracked, tmp_path):
    assert run("export", tracked, "-o", "one.obj", "--frame", 3)[0] == 0
    code, out, _ = run("export", tracked, "-o", "all.obj")
    assert code == 0 and "16 files" in out
    assert len(list(tmp_path.glob("all_*.obj"))) == 16 and (tmp_path / "one.obj").exists()
    code, _, err = run("export", tracked, "-o", "none.obj", "--frame", 99)
    assert code == 2 and "no frame 99" in err[0]


@pytest.mark.parametrize("suffix", [".png", ".mp4"])
def test_preview(suffix, run, tracked, tmp_path):
    code, _, err = run("preview", tracked, "-o", f"a{suffix}")
    assert (code, err) == (0, [])
    assert (tmp_path / f"a{suffix}").stat().st_size > 10_000


def test_preview_of_footage_that_has_moved(run, tracked, tmp_path):
    code, _, err = run("preview", tracked, "-o", "a.png", "--media", "gone.mp4")
    assert code == 2 and "gone.mp4" in err[0] and not list(tmp_path.iterdir())


def test_animate_to_a_take_needs_no_blender(run, detector, photo, monkeypatch):
    monkeypatch.setattr(animate, "scene_writer", lambda: pytest.fail("no Blender is needed"))
    assert run("animate", photo, "-o", "a.npz")[0] == 0
    assert len(load_take("a.npz")) == 1


def test_without_blender_the_way_to_it_is_named_before_any_work(run, photo, monkeypatch, tmp_path):
    monkeypatch.setattr(TrackOptions, "run", lambda *_: pytest.fail("nothing should be tracked"))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "bpy" else real(n, *a))
    code, _, err = run("animate", photo, "-o", "a.blend")
    assert code == 2 and 'pip install "smirk-blender[blender]"' in err[0] and not list(tmp_path.iterdir())


def test_a_take_survives_a_scene_that_cannot_be_written(run, detector, photo, monkeypatch, tmp_path):
    def fail(takes, path, *, head):
        raise ExportError("Cannot write a.blend: the disk may be full.")

    monkeypatch.setattr(animate, "scene_writer", lambda: fail)
    code, out, err = run("animate", photo, "-o", "a.blend")
    assert code == 2 and out == "" and "disk may be full" in err[0] and "a.take.npz" in err[0]
    assert [p.name for p in tmp_path.iterdir()] == ["a.take.npz"]


def test_animate_writes_a_blend_from_a_take(tracked, tmp_path):
    """In a process of its own, as a person runs it."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("bpy is not installed")
    command = [sys.executable, "-m", "smirk_core", "animate", str(tracked), "-o", "a.blend"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "Wrote a.blend\n")
    assert [p.name for p in tmp_path.iterdir()] == ["a.blend"]
    assert (tmp_path / "a.blend").stat().st_size > 100_000


def test_doctor_names_what_matters(run, detector):
    code, out, err = run("doctor")
    assert (code, err) == (0, [])
    for word in ("open-1", "mediapipe", "PyAV", "NumPy", "Blender module"):
        assert word in out


def test_version_and_help(run):
    assert run("--version")[1].startswith("smirk ")
    code, out, _ = run("track", "--help")
    assert code == 0 and "--neutral-frame" in out


def test_debug_shows_where(run, monkeypatch, capfd):
    monkeypatch.setenv("SMIRK_DEBUG", "1")
    assert main(["export", "nowhere.npz", "-o", "a.csv"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_one_output_for_each_medium(tmp_path):
    out = str(tmp_path) + os.sep
    plan = plan_outputs(["a/x.mp4", "b/X.mov", "shot_%04d.png", "frames/"], out, ".blend", (".blend",))
    assert [p.name for p in plan] == ["x.blend", "X-2.blend", "shot.blend", "frames.blend"]
    assert plan_outputs(["a.mp4"], str(tmp_path), ".glb", (".blend",)) == [tmp_path / "a.glb"]
    assert plan_outputs(["a.mp4"], str(tmp_path / "b.BLEND"), ".glb", (".blend",)) == [tmp_path / "b.BLEND"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="not a folder"):
        plan_outputs(["a.mp4", "b.mp4"], str(tmp_path / "file"), ".glb", (".glb",))


def test_names():
    assert stem_of("a/clip.take.npz") == "clip" and stem_of("x.y.mp4") == "x.y" and stem_of("####.png") == "take"
    assert face_path(Path("o/a.take.npz"), 0, 1) == Path("o/a.take.npz")
    assert face_path(Path("o/a.take.npz"), 1, 2) == Path("o/a-face2.take.npz")
    assert face_path(Path("a.npz"), 0, 3) == Path("a-face1.npz")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bar():
    bar = Bar(io.StringIO(), "[1/2] ")
    assert bar.line("Solving", 25, 100, 10) == "[1/2] Solving  [#####...............] 25/100  0:30 left"
    assert bar.line("Solving", 0, None, 0) == "[1/2] Solving" and bar.line("Solving", 7, None, 9).endswith("7")
    assert bar.line("Solving", 1, 1000, 8.0).endswith("2:13:12 left")
    silent = io.StringIO()
    Bar(silent)("Solving", 1, 2)
    assert silent.getvalue() == ""
    drawn = Terminal()
    bar = Bar(drawn)
    bar("Solving", 1, 2)
    bar("Solving", 2, 2)
    bar.clear()
    assert drawn.getvalue().count("\r") == 4 and "2/2" in drawn.getvalue()


def test_stop_listens_only_for_a_while():
    before = signal.getsignal(signal.SIGINT)
    stop = Stop()
    with stop.listening():
        stop.check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Cancelled):
            stop.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_libraries_are_not_heard(capfd):
    with quiet() as (out, err):
        os.write(1, b"noise")
        os.write(2, b"noise")
        print("told", file=out)
        print("warned", file=err)
    os.write(2, b"heard again\n")
    captured = capfd.readouterr()
    assert captured.out == "told\n" and captured.err == "warned\nheard again\n"


def test_options_of_a_job():
    options = TrackOptions.from_job({"faces": 2, "filters": [{"kind": "median"}]})
    assert options.faces == 2 and options.filters[0]["window"] == 5
    for job in ({"colour": 1}, {"faces": "some"}, {"start": "x"}, {"filters": [{"kind": "blur"}]}, {"encoder": "x"}):
        with pytest.raises(SmirkError):
            TrackOptions.from_job(job)
