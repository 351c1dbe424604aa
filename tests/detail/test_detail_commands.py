# SPDX-License-Identifier: Apache-2.0
"""``smirk wrinkles`` and what ``smirk detail`` refuses, from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smirk_core.cli import main
from smirk_core.detail.groups import GROUP_NAMES
from smirk_core.heads.library import load_head
from smirk_core.take import Take, TakeInfo

OPEN = load_head()


@pytest.fixture
def take(tmp_path: Path) -> Path:
    raw = {"expression": np.full((2, OPEN.expression_size), 0.3), "eyelids": np.zeros((2, 2)), "jaw": np.zeros((2, 3))}
    info = TakeInfo(head=OPEN.name, head_digest=OPEN.digest)
    return Take(info, np.array([0.0, 0.04]), np.zeros(3), raw, raw).save(tmp_path / "a.take.npz")


def test_curves_and_maps(take: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["wrinkles", str(take), "-o", str(tmp_path / "a.csv"), "--age", "0.8"]) == 0
    assert (tmp_path / "a.csv").read_text().startswith("time," + GROUP_NAMES[0])
    folder = tmp_path / "maps"
    assert main(["wrinkles", str(take), "-o", str(folder), "--frame", "1", "--size", "256"]) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["frame_00001_height.png", "frame_00001_normal.png"]
    assert "2 maps" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frame", "7", "--size", "256"], "no frame 7"),
        (["--size", "255"], "multiple of 4"),
        (["--age", "3"], "between 0"),
        (["--person", "none.npz", "--frame", "0", "--size", "256"], "no file none.npz"),
    ],
)
def test_wrong_wishes_get_one_line(
    take: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["wrinkles", str(take), "-o", str(tmp_path / "maps"), *arguments]) == 2
    error = capfd.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_take_without_footage_has_no_detail(take: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["detail", str(take), "-o", str(tmp_path / "p.npz")]) == 2
    assert "where in the picture the head is" in capfd.readouterr().err
    assert main(["detail", str(take), "-o", str(tmp_path / "p.txt")]) == 2
    assert not (tmp_path / "p.npz").exists()
