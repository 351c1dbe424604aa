# SPDX-License-Identifier: Apache-2.0
"""The contact sheets of the head and the page of its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.head_look.__main__ import render_sheets
from benchmarks.head_look.dressing import Person
from benchmarks.head_look.page import BEGIN, END, table, write_table
from benchmarks.head_look.sheets import SHEETS
from benchmarks.head_look.studio import Studio
from benchmarks.head_look.subject import Pose, Subject, arkit_row
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import ARKIT_NAMES

ROOT = Path(__file__).parents[2]
OPTIONS = {"head": "open", "size": 40, "samples": 1, "threads": 1, "force": False}


@pytest.mark.parametrize("name", SHEETS)
def test_sheets_ask_for_poses_that_exist(name: str) -> None:
    sheet = SHEETS[name][0]()
    labels = [cell.label for cell in sheet.cells]
    assert labels and len(set(labels)) == len(labels)
    for cell in sheet.cells:
        assert arkit_row(cell.pose.weights).max(initial=0.0) <= 1.0


def test_the_expression_sheet_has_all_of_arkit() -> None:
    shown = {name for cell in SHEETS["expressions"][0]().cells for name in cell.pose.weights}
    assert shown == set(ARKIT_NAMES)


def test_a_sheet_is_rendered_once_and_goes_on_where_it_was(tmp_path: Path) -> None:
    import argparse

    options = argparse.Namespace(**OPTIONS, cells=["front", "side"])
    render_sheets(tmp_path, ["neutral"], options)
    cells = sorted((tmp_path / "cells" / "neutral").glob("*.png"))
    assert [c.stem for c in cells] == ["00_front", "02_side"]
    picture = np.asarray(Image.open(cells[0]).convert("RGB")).astype(int)
    middle, corner = picture[30, 30], picture[2, 2]
    assert middle[0] > corner[0] + 40 and middle[0] > middle[2] + 15  # skin before a grey wall
    cells[1].unlink()
    before = cells[0].stat().st_mtime_ns
    render_sheets(tmp_path, ["neutral"], options)
    assert cells[1].exists() and cells[0].stat().st_mtime_ns == before
    assert Image.open(tmp_path / "neutral.png").size[0] > 2 * 60
    assert not list(tmp_path.rglob("*.part.png"))


def test_the_subject_is_where_the_camera_looks_and_changes_person() -> None:
    model = load_head()
    Studio(16, 1, 1)
    subject = Subject(model)
    subject.become(Person(2))
    ahead, left = (subject.place("eyes", Pose(yaw=yaw)) for yaw in (0.0, 90.0))
    assert abs(ahead[0]) < 0.005 and ahead[1] < 0  # the face looks to -y, towards the camera
    assert left[0] > 0.02 and left[2] == pytest.approx(
        ahead[2], abs=1e-6
    )  # to the subject's left is the picture's right
    first = subject.head
    subject.become(Person(2))
    assert subject.head is first
    subject.become(Person(3))
    import bpy

    assert subject.head is not first and sum(o.type == "ARMATURE" for o in bpy.data.objects) == 1


def test_the_page_has_the_figures_of_its_twin(tmp_path: Path) -> None:
    report = {"polygons": {"vertices": 12537, "polygons": 11044, "triangles": 21848}}
    assert "12,537 vertices" in table(report)
    page = tmp_path / "head.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_table(report, page)
    words = page.read_text()
    assert words.startswith("before\n") and words.endswith("\nafter\n") and "old" not in words
    write_table(report, page)
    assert page.read_text() == words


def test_the_committed_page_was_written_from_the_committed_figures() -> None:
    report = json.loads((ROOT / "docs" / "head.json").read_text())
    page = (ROOT / "docs" / "head.md").read_text(encoding="utf-8")
    assert table(report) in page
