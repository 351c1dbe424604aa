# SPDX-License-Identifier: Apache-2.0
"""Files of strangers: whatever is in them, nothing is run, nothing breaks, and no memory is reserved for promises.

Takes, heads, parameter files, FLAME pickles and checkpoints: 200 damaged copies of each, and files made by hand for the
purpose (tests/hostile/). They are opened in a process of its own with four gigabytes of address space; the widest of
them promise exabytes. Where one is read all the same, what it holds is used.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile import runner
from hostile.made import write_made
from hostile.mutations import mutate
from hostile.samples import OPENERS, write_samples

from smirk_core.cli import main
from smirk_core.take import load_take

MUTATED = 200
RUNNER = Path(__file__).parent / "hostile" / "runner.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def good(folder) -> dict[str, Path]:
    (folder / "good").mkdir()
    return write_samples(folder / "good")


@pytest.fixture(scope="module")
def canary(folder) -> Path:
    """What a program in a file would leave behind."""
    return folder / "canary"


@pytest.fixture(scope="module")
def made(folder, good, canary) -> list[tuple[str, Path]]:
    (folder / "made").mkdir()
    return write_made(folder / "made", good, canary)


def run(files: list[tuple[str, Path]], folder: Path, *arguments: str) -> dict[str, Any]:
    listed = folder / "list.txt"
    listed.write_text("\n".join(f"{kind}\t{path}" for kind, path in files), encoding="utf-8")
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, str(RUNNER), arguments[0], str(listed), *arguments[1:]]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **one_thread}, timeout=600)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stderr == ""
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def mutated(folder, good) -> dict[str, Any]:
    return run([*good.items()], folder, "mutated", str(MUTATED))


@pytest.mark.parametrize("kind", OPENERS)
def test_good_files_are_read(kind, good):
    OPENERS[kind](good[kind])


@pytest.mark.parametrize("kind", OPENERS)
def test_damaged_files(kind, mutated, canary):
    result = mutated[kind]
    assert result["wrong"] == [] and result["executed"] == []
    assert result["refused"] + result["read"] == MUTATED
    assert result["refused"] > MUTATED / 2  # the damage is damage
    assert not canary.exists()


def test_files_made_by_hand(made, folder, canary):
    assert len(made) >= 200 and {kind for kind, _ in made} == set(OPENERS) - {"packed mat"}
    result = run(made, folder, "made")["made"]
    assert result["wrong"] == [] and result["executed"] == []
    assert result["refused"] + result["read"] == len(made)
    assert result["refused"] > 0.9 * len(made)
    assert not canary.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the traps are of the shell")
@pytest.mark.parametrize("name", ["reduce", "global", "posix", "inst", "obj", "stack"])
def test_the_traps_are_live(name, made, canary):
    """Python's own unpickler springs them, so what our reader refuses is real."""
    path = next(p for kind, p in made if kind == "flame" and p.stem == name)
    code = f"import pickle; pickle.loads(open({str(path)!r}, 'rb').read())"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert canary.exists()
    canary.unlink()


def test_the_count_counts():
    """An opener that runs what it reads, or that breaks, is found out."""
    code = f"""
import json, os, sys
from pathlib import Path
sys.path.insert(0, {str(RUNNER.parents[1])!r})
from hostile import runner
runner.watch()
runner.OPENERS |= {{"a": lambda path: os.system("exit 0"), "b": lambda path: [][1], "c": lambda path: None}}
print(json.dumps([runner.open_all([(kind, Path("x"))]) for kind in "abc"]))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ran, broke, fine = json.loads(result.stdout)
    assert len(ran["executed"]) == 1 and "IndexError" in broke["wrong"][0]
    assert not (fine["executed"] or fine["wrong"]) and fine["read"] == 1


def test_the_same_seed_is_the_same_damage(good):
    content = good["take"].read_bytes()
    assert mutate(content, 5) == mutate(content, 5) != mutate(content, 6)


@pytest.mark.skipif(sys.platform == "win32", reason="devices have other names there")
@pytest.mark.parametrize("kind", OPENERS)
def test_files_that_never_end(kind, folder):
    suffix = {"npz": ".npz", "npy": ".npy", "mat": ".mat"}.get(kind, ".pkl")
    path = folder / f"endless{suffix}"
    if not path.is_symlink():
        path.symlink_to("/dev/zero")
    assert not runner.open_all([(kind, path)])["wrong"]


def test_command_line(made, good, folder, capfd, monkeypatch):
    """A sample of them given to every command: exit code 2 and one line, which says what to do or what is wrong."""
    monkeypatch.setenv("SMIRK_DATA", str(folder / "data"))
    by_name = {path.name: path for _, path in made}
    out = str(folder / "out")
    takes = ["crowd.take.npz", "vast.take.npz", "object.take.npz", "nested-header.take.npz", "lzma.take.npz"]
    commands = [["export", str(by_name[name]), "-o", f"{out}.csv"] for name in takes]
    commands += [["preview", str(by_name["code.take.npz"]), "-o", f"{out}.png"]]
    commands += [["animate", str(by_name["far.take.npz"]), "-o", f"{out}.npz"]]
    commands += [["export", str(good["take"]), "--head", str(by_name["past.npz"]), "-o", f"{out}.csv"]]
    head = ["--head", str(good["head"]), "-o", f"{out}.take.npz"]
    for name in ("reduce parameters.pkl", "laughs alone.pkl", "tables alone.pkl", "vast.npy", "cells.mat", "crowd.npz"):
        commands.append(["import", str(by_name[name]), *head])
    commands += [["assets", "import", str(by_name[name])] for name in ("global.pkl", "stride.pt", "crowd.npz")]
    for command in commands:
        capfd.readouterr()
        assert main(command) == 2, command
        err = capfd.readouterr().err
        assert err.startswith("smirk: ") and err.count("\n") == 1 and "Unexpected" not in err, (command, err)
    assert not list(folder.glob("out*"))
    shutil.rmtree(folder / "data", ignore_errors=True)


def test_words_in_files_do_not_command_the_terminal(good, folder, capfd):
    take = load_take(good["take"])
    for info in (
        dataclasses.replace(take.info, notes="\x1b]0;mine\x07\x1b[2Jcancelled"),
        dataclasses.replace(take.info, software="\x1b[31m", schema=99),
    ):
        dataclasses.replace(take, info=info).save(folder / "words.take.npz")
        capfd.readouterr()
        main(["animate", str(folder / "words.take.npz"), "-o", str(folder / "again.npz")])
        out, err = capfd.readouterr()
        assert ("cancelled" in err or "newer version" in err) and "?" in err
        assert "\x1b" not in out + err and "\x07" not in out + err


def test_takes_inside_blender_files_are_read_the_same_way(made):
    """What an Action carries as bytes goes through the same checks as a file."""
    from smirk_core.errors import TakeError
    from smirk_core.take import Take

    for kind, path in made:
        if kind == "take" and path.name not in ("names.take.npz", "twice.take.npz"):
            with pytest.raises(TakeError):
                Take.from_bytes(path.read_bytes())
    with pytest.raises(TakeError):
        Take.from_bytes(pickle.dumps({}))
