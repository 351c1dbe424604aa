# SPDX-License-Identifier: Apache-2.0
"""``smirk train``: what it starts, and what it says where training is not installed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from smirk_core.cli import main, parser
from smirk_core.commands import train


def test_the_process_gets_what_was_asked_for():
    parsed = parser().parse_args(["train", "core", "run.steps=3", "-o", "runs/x", "--max-minutes", "9"])
    assert train.train_command(parsed) == [
        sys.executable, "-m", "training.train", "open_head/core", "run.steps=3", "-o", "runs/x",
        "--resume", "auto", "--max-minutes", "9.0",
    ]  # fmt: skip
    parsed = parser().parse_args(["train", "pretrain", "--config", "mine.yaml"])
    assert train.train_command(parsed)[3] == "mine.yaml"


def test_missing_packages_are_named_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(train, "missing_packages", lambda: ["torch", "PyYAML"])
    assert main(["train", "pretrain"]) == 2
    said = capsys.readouterr().err
    assert "needs torch, PyYAML" in said and "smirk-blender[train]" in said and said.count("\n") == 1


def test_what_is_here_is_not_missing():
    present = {pip for name, pip in train._NEEDED.items() if train.importlib.util.find_spec(name)}
    assert present.isdisjoint(train.missing_packages())
    assert present | set(train.missing_packages()) == set(train._NEEDED.values())


def test_unknown_stages_are_refused():
    with pytest.raises(SystemExit) as caught:
        main(["train", "polish"])
    assert caught.value.code == 2


def test_a_wrong_setting_comes_back_as_one_line(tmp_path):
    if train.missing_packages():
        pytest.skip("training is not installed here")
    command = [sys.executable, "-m", "smirk_core", "train", "pretrain", "run.stepz=3", "-o", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=120)
    assert done.returncode == 2 and "there is no setting 'run.stepz'" in done.stderr
    assert not (tmp_path / "run").exists()
