# SPDX-License-Identifier: Apache-2.0
"""The add-on's side of the worker: real processes that answer, are cancelled, killed, or talk nonsense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from blender_smirk import worker_client
from blender_smirk.worker_client import FINAL_EVENTS, Worker, library_folders, worker_command
from smirk_core.errors import SmirkError
from smirk_core.take import load_take

PATIENCE = 120.0  # far more than is ever needed: a hang must fail, a slow machine must not


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.close()


@pytest.fixture
def odd_worker(monkeypatch: pytest.MonkeyPatch):
    """A worker whose process runs the given Python code in place of the engine."""
    made = []

    def make(code: str) -> Worker:
        command = [sys.executable, "-c", textwrap.dedent(code), "engine"]
        monkeypatch.setattr(worker_client, "worker_command", lambda python: (command, dict(os.environ)))
        made.append(Worker())
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(worker: Worker, wanted) -> list[dict]:
    """Events up to the first that ``wanted`` accepts, or the last one."""
    seen: list[dict] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for event in worker.poll():
            seen.append(event)
            if wanted(event) or event["event"] in FINAL_EVENTS:
                return seen
        time.sleep(0.01)
    raise AssertionError(f"nothing came: {seen}")


def final(worker: Worker) -> dict:
    return until(worker, lambda e: False)[-1]


def test_a_real_photo(detector, photo, worker):
    worker.start({"media": str(photo)})
    events = until(worker, lambda e: False)
    assert [e["event"] for e in events][:1] == ["started"]
    assert events[-1]["event"] == "done", worker.report()
    assert worker.folder is not None and Path(events[-1]["take"]).parent == worker.folder
    take = load_take(events[-1]["take"])
    assert len(take) == 1 and take.info.source == str(photo)
    assert worker.poll() == [] and worker.final == events[-1]
    folder = worker.folder
    worker.close()
    worker.close()
    assert not folder.exists() and not worker.running


def test_errors_of_the_engine_are_events(worker, tmp_path):
    worker.start({"media": str(tmp_path / "nowhere.mp4")})
    last = worker.wait(PATIENCE)
    assert last["event"] == "error" and "nowhere.mp4" in last["message"] and "crashed" not in last
    assert worker.exit_code == 2 and "nowhere.mp4" in worker.report()


def test_cancel_keeps_what_was_read(detector, clip, worker):
    """The stop may come before or after the last frame was read; either way the answer is whole."""
    worker.start({"media": str(clip), "solve": False})
    until(worker, lambda e: e["event"] == "progress" and e["done"] > 0)
    worker.cancel()
    last = worker.wait(PATIENCE)
    if last["event"] == "done":
        assert len(load_take(last["take"])) == last["frames"]
    else:
        assert "crashed" not in last


def test_a_killed_worker_is_an_event_with_a_report(clip, worker):
    worker.start({"media": str(clip)})
    until(worker, lambda e: e["event"] == "started")
    os.kill(worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    last = worker.wait(PATIENCE)
    assert last["event"] == "error" and last["crashed"] and "without an answer" in last["message"]
    assert "SIGKILL" in last["message"] or os.name == "nt"
    assert "last event" in worker.report() and not worker.running


def test_kill_from_here(clip, worker):
    worker.start({"media": str(clip)})
    worker.kill()
    last = final(worker)
    assert last["event"] == "error" and last["crashed"]


def test_nonsense_between_events_is_set_aside(odd_worker):
    worker = odd_worker("""
        import sys
        print("hello from a library")
        print('{"event": "started", "version": "1"}')
        print('[1, 2]'); print('{"event": 3}'); print("{" * 3000)
        sys.stdout.buffer.write(b"\\xff\\xfe\\x00 garbage\\n")
        print('{"event": "done", "take": "a", "takes": ["a"], "frames": 1}')
        print('{"event": "error", "message": "after the end"}')
    """)
    worker.start({"media": "a"})
    events = until(worker, lambda e: False)
    assert [e["event"] for e in events] == ["started", "done"]
    assert worker.wait(PATIENCE)["event"] == "done" and worker.poll() == []
    assert "hello from a library" in worker.log()


def test_one_endless_line_does_not_fill_the_memory(odd_worker):
    worker = odd_worker("""
        import sys
        sys.stdout.write("x" * 5_000_000)
    """)
    worker.start({"media": "a"})
    last = worker.wait(PATIENCE)
    assert last["crashed"] and len(worker.log()) < 50_000


@pytest.mark.parametrize(("code", "says"), [("raise SystemExit(3)", "exit code 3"), ("1/0", "exit code 1")])
def test_a_process_that_ends_without_a_word(odd_worker, code, says):
    worker = odd_worker(code)
    worker.start({"media": "a"})
    last = final(worker)
    assert last["crashed"] and says in last["message"]
    assert ("ZeroDivisionError" in worker.report()) == (code == "1/0")


def test_the_job_arrives_as_it_was_given(odd_worker):
    worker = odd_worker("""
        import json, sys
        print(json.dumps({"event": "done", "job": json.loads(sys.stdin.readline())}))
    """)
    worker.start({"media": "ä ß.mp4", "faces": 2})
    assert worker.folder is not None
    assert final(worker)["job"] == {
        "media": "ä ß.mp4",
        "faces": 2,
        "output": str(worker.folder / "capture.take.npz"),
    }


def test_one_job_each(odd_worker):
    worker = odd_worker('print(\'{"event": "done"}\')')
    worker.start({"media": "a"})
    with pytest.raises(SmirkError, match="one job"):
        worker.start({"media": "b"})


def test_a_python_that_is_not_there(tmp_path):
    worker = Worker(python=tmp_path / "python")
    with pytest.raises(SmirkError, match="There is no Python at"):
        worker.start({"media": "a"})
    assert not worker.running and worker.poll() == []
    worker.close()


def test_a_file_that_is_no_python(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("not a program")
    worker = Worker(python=fake, parent_folder=tmp_path)
    with pytest.raises(SmirkError, match="cannot be started"):
        worker.start({"media": "a"})
    assert [p.name for p in tmp_path.iterdir()] == ["python"]


def test_the_users_own_python_sees_its_packages_and_our_engine_only(tmp_path):
    """Compiled packages beside smirk_core fit Blender's Python, so a foreign one must not be shown that folder."""
    command, environment = worker_command(sys.executable)
    assert environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH")
    _, of_blender = worker_command()
    assert of_blender["PYTHONPATH"].split(os.pathsep) == library_folders()
    answer = subprocess.run(
        [*command, json.dumps({"media": "nowhere.mp4"})], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert json.loads(answer.stdout.splitlines()[-1])["event"] == "error"


def test_only_folders_of_packages_are_handed_on(tmp_path):
    site = tmp_path / "lib" / "site-packages"
    site.mkdir(parents=True)
    assert library_folders([str(site), str(tmp_path), "", str(site), str(tmp_path / "x" / "site-packages")]) == [
        str(site)
    ]


def test_the_worker_dies_with_its_parent(tmp_path, clip):
    """A Blender that is killed cannot tidy up; the end of the pipe must be enough."""
    code = f"""
        import sys, time
        from blender_smirk.worker_client import Worker
        worker = Worker(parent_folder={str(tmp_path)!r})
        worker.start({{"media": {str(clip)!r}}})
        print(worker.pid, flush=True)
        time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + PATIENCE
    while _exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _exists(pid)


def _exists(pid: int) -> bool:
    """Whether a process runs; one that nobody has collected has ended all the same."""
    status = Path(f"/proc/{pid}/stat")
    if Path("/proc/self").exists():
        try:
            return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def test_the_end_of_the_program_takes_workers_and_folders_along(tmp_path, clip):
    code = f"""
        from blender_smirk.worker_client import Worker
        worker = Worker(parent_folder={str(tmp_path)!r})
        worker.start({{"media": {str(clip)!r}}})
        print(worker.pid)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert not _exists(int(result.stdout)) and not list(tmp_path.iterdir())
