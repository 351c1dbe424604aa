# SPDX-License-Identifier: Apache-2.0
"""The preview while a clip is read: right places, bounded rate, never in the way."""

from __future__ import annotations

import numpy as np
import pytest

from smirk_core.errors import SmirkError
from smirk_core.tracking.live_view import LiveView, cut_face, marked
from smirk_core.tracking.media import Frame


def frame(index: int = 0, size: tuple[int, int] = (90, 160)) -> Frame:
    return Frame(index, index / 25, np.full((*size, 3), 40, np.uint8))


def face(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    corners = np.array([[left, top, 0], [right, bottom, 0]], np.float32)
    return np.concatenate([corners, np.tile(corners.mean(axis=0), (476, 1))])


def test_marks_are_where_the_face_is():
    picture = np.asarray(marked(np.zeros((1080, 1920, 3), np.uint8), [face(400, 200, 800, 700)]))
    assert picture.shape == (270, 480, 3)
    rows, columns = np.nonzero(picture.max(axis=2) > 100)
    assert abs(columns.min() - 98) <= 2 and abs(columns.max() - 202) <= 2
    assert abs(rows.min() - 48) <= 2 and abs(rows.max() - 177) <= 2


@pytest.mark.parametrize("points", [[], [np.full((478, 3), np.nan, np.float32)], [face(-1e9, -1e9, 1e9, 1e9)]])
def test_odd_faces_do_no_harm(points):
    assert marked(frame().image, points).size == (160, 90)


@pytest.mark.parametrize(
    "box", [(10, 10, 50, 60), (-40, -40, 10, 10), (150, 80, 220, 140), (-500, 0, -400, 90), (20, 20, 20, 20)]
)
def test_a_face_is_cut_square_wherever_it_is(box):
    assert cut_face(frame().image, face(*box), 64).size == (64, 64)


def test_the_cut_is_centred():
    image = np.zeros((200, 200, 3), np.uint8)
    image[90:110, 60:80] = 255
    square = np.asarray(cut_face(image, face(40, 70, 100, 130), 90), float).mean(axis=2)
    rows, columns = np.nonzero(square > 128)
    assert abs(rows.mean() - 44.5) < 1.5 and abs(columns.mean() - 44.5) < 1.5


def test_five_a_second_at_most(tmp_path):
    now, told = [10.0], []
    view = LiveView(tmp_path, lambda *what: told.append(what), clock=lambda: now[0])
    for index in range(100):  # two seconds
        view(frame(index), [])
        now[0] += 0.02
    assert 9 <= len(told) <= 10 and told[0] == (str(tmp_path / "preview-a.npy"), 0, 0)
    assert {p.name for p in tmp_path.iterdir()} == {"preview-a.npy", "preview-b.npy"}
    assert told[0][0] != told[1][0] == told[3][0]
    assert np.load(told[-1][0]).shape == (90, 160, 3)


def test_a_folder_that_goes_away_costs_the_picture_only(tmp_path):
    folder, told = tmp_path / "gone", []
    folder.mkdir()
    view = LiveView(folder, lambda *what: told.append(what))
    folder.rmdir()
    view(frame(), [])
    assert not told
    with pytest.raises(SmirkError, match="There is no folder"):
        LiveView(folder, lambda *what: None)
