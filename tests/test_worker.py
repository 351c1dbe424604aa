# SPDX-License-Identifier: Apache-2.0
"""The worker's protocol: one JSON object a line, the last one final, partial results kept."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading

import pytest
from toys import make_take

from smirk_core.errors import Cancelled, MediaError
from smirk_core.take import load_take
from smirk_core.worker import Emitter, run_job


@pytest.fixture
def lines():
    """An emitter with the event that stops it, and a function that reads what was emitted."""
    stream, stop = io.StringIO(), threading.Event()
    return Emitter(stream, stop), stop, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_good_job(lines, toy_head, tmp_path):
    emit, stop, events = lines

    def track(options, media, progress):
        assert media == "clip.mp4" and options.faces == 2 and options.end == 40
        progress("Reading faces", 0, 2)
        progress("Reading faces", 2, 2)
        return [make_take(toy_head, 5, seed) for seed in (0, 1)]

    job = {"media": "clip.mp4", "output": str(tmp_path / "a.take.npz"), "faces": 2, "end": 40}
    assert run_job(job, emit, stop, track) == 0
    first, *progress, last = events()
    assert first["event"] == "started"
    assert [(e["stage"], e["done"], e["total"]) for e in progress] == [("Reading faces", 0, 2), ("Reading faces", 2, 2)]
    paths = [str(tmp_path / f"a-face{n}.take.npz") for n in (1, 2)]
    assert last == {"event": "done", "take": paths[0], "takes": paths, "frames": 5, "partial": False, "notes": ""}
    assert len(load_take(paths[1])) == 5


def test_cancel_reaches_the_run_and_the_rest_is_kept(lines, toy_head, tmp_path):
    emit, stop, events = lines

    def track(options, media, progress):
        done = 0
        try:
            while True:
                progress("Reading faces", done, None)
                done += 1
                if done == 3:
                    stop.set()
        except Cancelled:
            from dataclasses import replace

            take = make_take(toy_head, done)
            return [replace(take, info=replace(take.info, notes=f"cancelled after {done} frames"))]

    assert run_job({"media": "a", "output": str(tmp_path / "a.npz")}, emit, stop, track) == 0
    last = events()[-1]
    assert last["partial"] and last["frames"] == 3 and "cancelled" in last["notes"]
    assert len(load_take(tmp_path / "a.npz")) == 3


def test_failures_are_events(lines, tmp_path):
    emit, stop, events = lines

    def track(options, media, progress):
        raise MediaError("No face was found.")

    assert run_job({"media": "a", "output": str(tmp_path / "a.npz")}, emit, stop, track) == 2
    assert events()[-1] == {"event": "error", "message": "No face was found."}


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({}, "'media' and 'output'"),
        ({"media": "a"}, "'media' and 'output'"),
        ({"media": 3, "output": "a.npz"}, "'media' and 'output'"),
        ({"media": "a", "output": "a.blend"}, "must end in .npz"),
        ({"media": "a", "output": "a.npz", "colour": 1}, "unknown key 'colour'"),
        ({"media": "a", "output": "a.npz", "encoder": "nowhere.pt"}, "no encoder file"),
        ({"media": "a", "output": "a.npz", "start": "b"}, "wrong kind"),
        ({"media": "a", "output": "a.npz", "filters": [{"kind": "blur"}]}, "Unknown filter"),
        ({"media": "a", "output": "a.npz", "filters": "median"}, ""),
    ],
)
def test_bad_jobs(job, says, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    emit, stop, events = lines
    assert run_job(job, emit, stop, lambda *_: pytest.fail("must not be run")) == 2
    assert events()[-1]["event"] == "error" and says in events()[-1]["message"]
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_gone_stops_the_run():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    stop = threading.Event()
    emit = Emitter(Gone(), stop)
    emit.progress("Reading faces", 0, 10)
    assert stop.is_set()
    with pytest.raises(Cancelled):
        emit.progress("Reading faces", 1, 10)


def test_progress_is_thinned_but_never_loses_a_stage_or_its_end(lines):
    emit, _, events = lines
    for stage in ("Reading faces", "Solving"):
        for done in range(1001):
            emit.progress(stage, done, 1000)
    found = [(e["stage"], e["done"]) for e in events()]
    assert len(found) < 1000
    for stage in ("Reading faces", "Solving"):
        assert (stage, 0) in found and (stage, 1000) in found


def worker(*arguments: str, text: str | None = None) -> tuple[int, list[dict]]:
    command = [sys.executable, "-m", "smirk_core.worker", *arguments]
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    return result.returncode, [json.loads(line) for line in result.stdout.splitlines()]


def test_process_with_a_real_photo(detector, photo, tmp_path):
    job = {"media": str(photo), "output": str(tmp_path / "a.take.npz")}
    code, events = worker(json.dumps(job))
    assert code == 0 and events[0]["event"] == "started" and events[-1]["event"] == "done"
    assert {e["event"] for e in events[1:-1]} == {"progress"}
    take = load_take(events[-1]["take"])
    assert len(take) == 1 and take.info.source == str(photo)


def test_process_that_is_fed_by_a_pipe(detector, photo, tmp_path):
    """The job as a line; the pipe stays open until the answer is there, as Blender keeps it."""
    command = [sys.executable, "-m", "smirk_core.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"media": str(photo), "output": str(tmp_path / "ä.take.npz")}) + "\n")
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
        assert process.wait(timeout=60) == 0
    assert events[-1]["event"] == "done" and load_take(events[-1]["take"])


def test_process_whose_parent_has_gone_ends(photo, tmp_path):
    """The end of standard input is a stop; whatever was reached by then, the last line says it."""
    code, events = worker(text=json.dumps({"media": str(photo), "output": str(tmp_path / "a.take.npz")}) + "\n")
    assert events[-1]["event"] in ("done", "error") and code == (0 if events[-1]["event"] == "done" else 2)


@pytest.mark.parametrize("text", ["", "no json\n", "[1]\n", '{"media": "nowhere.mp4", "output": "/nowhere/a.npz"}\n'])
def test_process_with_a_bad_job(text):
    code, events = worker(text=text)
    assert code == 2 and events[-1]["event"] == "error"


def process(job: dict) -> dict:
    """The last event of a real process."""
    return worker(json.dumps(job))[1][-1]


def test_probe(photo, clip, tmp_path):
    found = process({"probe": True, "media": str(clip)})["media"]
    assert (found["kind"], found["width"], found["height"], found["rate"]) == ("video", 320, 320, 25.0)
    assert found["frame_count"] == 16 and found["in_run"] is False
    for number in (1, 2, 3):
        (tmp_path / f"shot_{number:03}.png").write_bytes(photo.read_bytes())
    found = process({"probe": True, "media": str(tmp_path / "shot_001.png")})["media"]
    assert found["kind"] == "photo" and found["in_run"] is True
    found = process({"probe": True, "media": str(tmp_path / "shot_001.png"), "sequence": True})["media"]
    assert found["kind"] == "sequence" and found["frame_count"] == 3


@pytest.mark.parametrize(
    ("job", "says"),
    [
        ({"probe": True}, "'media'"),
        ({"probe": True, "media": "nowhere.png"}, "nowhere.png"),
        ({"faces_only": True, "media": "a.png"}, "'folder'"),
        ({"faces_only": True, "media": "a.png", "folder": "nowhere"}, "There is no folder"),
        ({"faces_only": True, "media": "a.png", "folder": ".", "start": -1}, "--start"),
        ({"media": "a.png", "output": "a.npz", "preview": 3}, "'preview'"),
        ({"media": "a.png", "output": "a.npz", "preview": "nowhere"}, "There is no folder"),
    ],
)
def test_bad_quick_jobs(job, says, lines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    emit, stop, events = lines
    assert run_job(job, emit, stop) == 2
    assert events()[-1]["event"] == "error" and says in events()[-1]["message"]


def test_ping_and_doctor(lines):
    emit, stop, events = lines
    assert run_job({"ping": True}, emit, stop) == 0 and events()[-1] == {"event": "done"}
    assert run_job({"doctor": True}, emit, stop) == 0
    found = events()[-1]
    assert (found["executable"] == sys.executable and found["problems"] == []) or "face_landmarker" in str(found)
    assert {"smirk", "NumPy", "media"} <= {label for label, _ in found["lines"]}
    assert "onnx" in found["engine"].lower() or "torch" in found["engine"] or "none" in found["engine"]


def test_who_is_in_it(detector, photo, tmp_path):
    """Two people: the same portrait twice, once at half the size."""
    import numpy as np
    from PIL import Image

    portrait = Image.open(photo).convert("RGB").crop((50, 0, 450, 400))
    picture = Image.new("RGB", (720, 420), (90, 90, 90))
    picture.paste(portrait.resize((200, 200)), (20, 100))
    picture.paste(portrait, (300, 10))
    picture.save(tmp_path / "two.png")
    found = process({"faces_only": True, "media": str(tmp_path / "two.png"), "folder": str(tmp_path)})
    assert found["event"] == "done" and found["media"]["width"] == 720 and found["frames"] == 1
    large, small = found["faces"]
    assert (large["number"], small["number"]) == (1, 0)  # numbers go from left to right, the list by size
    assert large["box"][0] > 300 and small["box"][2] < 240
    for face, size in ((large, 400), (small, 200)):
        left, top, right, bottom = face["box"]
        assert 0.2 * size < right - left < 0.7 * size and 0.2 * size < bottom - top < 0.7 * size
        assert np.load(face["thumbnail"]).shape == (128, 128, 3)
    one, other = (np.load(f["thumbnail"]).mean(axis=2).ravel() for f in (large, small))
    assert np.corrcoef(one, other)[0, 1] > 0.9  # both show the face, whatever its size


def test_numbers_of_the_list_are_those_of_the_takes(detector, clip, tmp_path):
    found = process({"faces_only": True, "media": str(clip), "folder": str(tmp_path)})
    done = process({"media": str(clip), "output": str(tmp_path / "a.npz"), "faces": "all", "solve": False})
    assert [f["number"] for f in found["faces"]] == [load_take(p).info.face for p in done["takes"]]
    assert 0 < found["faces"][0]["seen"] <= 12 == found["frames"]


def test_previews_come_while_frames_are_read(detector, clip, tmp_path):
    import numpy as np

    code, events = worker(json.dumps({"media": str(clip), "output": str(tmp_path / "a.npz"), "preview": str(tmp_path)}))
    assert code == 0
    shown = [e for e in events if e["event"] == "preview"]
    assert shown and shown[0]["frame"] == 0 and shown[0]["faces"] == 1
    assert np.load(shown[-1]["path"]).shape == (320, 320, 3)
    assert not list(tmp_path.glob("*.part"))


def test_an_unexpected_error_leaves_its_traceback_for_the_report(lines, tmp_path, capfd):
    emit, stop, events = lines

    def track(options, media, progress):
        raise ZeroDivisionError("surprise")

    assert run_job({"media": "a", "output": str(tmp_path / "a.npz")}, emit, stop, track) == 2
    assert "surprise" in events()[-1]["message"] and "Traceback" in capfd.readouterr().err
