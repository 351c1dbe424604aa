# SPDX-License-Identifier: Apache-2.0
"""Names of shape keys to ARKit's channels, and tables of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smirk_core.errors import TakeError
from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.retarget.mapping import KeyMap, Link, match_keys, mirrored
from smirk_core.retarget.names import channel_of


@pytest.mark.parametrize(
    ("name", "channels", "kind"),
    [
        ("eyeBlinkLeft", ("eyeBlinkLeft",), "exact"),
        ("EYEBLINKLEFT", ("eyeBlinkLeft",), "case"),
        ("MouthFunnel", ("mouthFunnel",), "case"),
        ("eyeBlink_L", ("eyeBlinkLeft",), "words"),
        ("Eye_Blink.R", ("eyeBlinkRight",), "words"),
        ("L_eyeBlink", ("eyeBlinkLeft",), "words"),
        ("right eye blink", ("eyeBlinkRight",), "words"),
        ("eyeBlinkL", ("eyeBlinkLeft",), "words"),
        ("mouthupperupr", ("mouthUpperUpRight",), "words"),
        ("mouth_upper_up_right", ("mouthUpperUpRight",), "words"),
        ("mouth_L", ("mouthLeft",), "words"),
        ("jaw_Left", ("jawLeft",), "words"),
        ("blendShape1.eyeBlink_L", ("eyeBlinkLeft",), "prefix"),
        ("Head_jawOpen", ("jawOpen",), "prefix"),
        ("AK_09_MouthFunnel", ("mouthFunnel",), "prefix"),
        ("eyeBlink", ("eyeBlinkLeft", "eyeBlinkRight"), "one side"),
        ("mouthSmile", ("mouthSmileLeft", "mouthSmileRight"), "one side"),
        ("browInnerUp_R", ("browInnerUp",), "one side"),
        ("jaw", (), ""),
        ("mouth", (), ""),
        ("Basis", (), ""),
        ("", (), ""),
        ("_", (), ""),
        ("L", (), ""),
        ("12", (), ""),
        ("Mund auf", (), ""),
        ("smile", (), ""),
    ],
)
def test_names(name, channels, kind):
    assert channel_of(name) == (channels, kind)


STYLES = {
    "as it is": lambda n: n,
    "capital": lambda n: n[0].upper() + n[1:],
    "small": str.lower,
    "suffix": lambda n: n.removesuffix("Left") + "_L" if n.endswith("Left") else n.replace("Right", "_R"),
    "dotted": lambda n: n.removesuffix("Left") + ".l" if n.endswith("Left") else n.replace("Right", ".r"),
    "snake": lambda n: "".join("_" + c.lower() if c.isupper() else c for c in n),
    "mesh before": lambda n: "Wolf3D_Head." + n,
    "no sign": lambda n: n.removesuffix("Left") + "L" if n.endswith("Left") else n.replace("Right", "R"),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_channel_is_found_in_every_style(style):
    names = [STYLES[style](n) for n in ARKIT_NAMES]
    match = match_keys(["Basis", *names])
    assert match.found == 52 and match.unused == ("Basis",)
    assert {link.source: link.target for link in match.keys.links} == dict(zip(ARKIT_NAMES, names, strict=True))


@given(st.text())
def test_no_name_is_too_odd(name):
    channels, kind = channel_of(name)
    assert all(c in ARKIT_INDEX for c in channels) and bool(channels) == bool(kind)


def test_the_surest_spelling_wins():
    match = match_keys(["eyeBlink_L", "Head_eyeBlinkLeft", "eyeBlinkLeft", "eyeBlink"])
    by_source = {link.source: link for link in match.keys.links}
    assert by_source["eyeBlinkLeft"].target == "eyeBlinkLeft"
    assert by_source["eyeBlinkRight"] == Link("eyeBlinkRight", "eyeBlink", 0.5)
    assert match.unused == ("eyeBlink_L", "Head_eyeBlinkLeft")


def test_one_key_for_both_sides_and_two_keys_for_the_middle():
    match = match_keys(["mouthSmile", "browInnerUp_L", "browInnerUp_R"])
    weights = np.zeros((1, 52))
    weights[0, [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]] = 0.8
    weights[0, ARKIT_INDEX["browInnerUp"]] = 0.3
    names, values = match.keys.curves(weights)
    assert dict(zip(names, values[0], strict=True)) == pytest.approx(
        {"mouthSmile": 0.8, "browInnerUp_L": 0.3, "browInnerUp_R": 0.3}
    )


def test_gain_and_offset():
    table = KeyMap(
        (Link("jawOpen", "Open", 1.5, 0.1), Link("mouthClose", "Open", -1.0), Link("jawLeft", "No", 1, 0, False))
    )
    weights = np.zeros((2, 52))
    weights[1, ARKIT_INDEX["jawOpen"]], weights[1, ARKIT_INDEX["mouthClose"]] = 0.4, 0.2
    names, values = table.curves(weights)
    assert names == ("Open",)
    assert values[:, 0] == pytest.approx([0.1, 0.5])
    with pytest.raises(ValueError, match=r"\(N, 52\)"):
        table.curves(np.zeros((2, 51)))


def test_json_round_trip_keeps_everything():
    table = KeyMap((Link("jawOpen", 'Öffnen "x"', 1.25, -0.1, False), Link("jawOpen", "b")))
    assert KeyMap.from_json(table.to_json()) == table


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"smirk_key_map": 1}',
        '{"smirk_key_map": 2, "links": []}',
        '{"smirk_key_map": 1, "links": [{"source": "jawOpen"}]}',
        '{"smirk_key_map": 1, "links": [{"source": "nose", "target": "a"}]}',
        '{"smirk_key_map": 1, "links": [{"source": "jawOpen", "target": ""}]}',
        '{"smirk_key_map": 1, "links": [{"source": "jawOpen", "target": "a", "gain": "1"}]}',
        '{"smirk_key_map": 1, "links": [{"source": "jawOpen", "target": "a", "gain": NaN}]}',
        '{"smirk_key_map": 1, "links": [3]}',
    ],
)
def test_a_bad_table_is_refused_in_one_line(text):
    with pytest.raises(TakeError) as error:
        KeyMap.from_json(text, "hero.json")
    assert "\n" not in str(error.value)


def test_mirror():
    weights = np.random.default_rng(0).random((3, 52))
    other = mirrored(weights)
    assert np.array_equal(mirrored(other), weights)
    assert np.array_equal(other[:, ARKIT_INDEX["jawLeft"]], weights[:, ARKIT_INDEX["jawRight"]])
    assert np.array_equal(other[:, ARKIT_INDEX["jawOpen"]], weights[:, ARKIT_INDEX["jawOpen"]])
