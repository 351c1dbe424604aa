# SPDX-License-Identifier: Apache-2.0
"""Pictures of hairs: looks differ as their names say, nothing is drawn where nothing grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smirk_core.groom.cards import CARD_COLUMNS
from smirk_core.groom.hair_pictures import cap_picture, strand_picture
from smirk_core.groom.tufts import BROWS, HAIR_COLOURS, LASHES, brow_picture, lash_picture
from smirk_core.heads.build_brows import BROW_CELLS, brow_cards


def cover(picture: np.ndarray) -> float:
    return float(picture[..., 3].mean() / 255)


def test_brow_looks_differ_as_their_names_say() -> None:
    ink = {name: cover(brow_picture(look)) for name, look in BROWS.items()}
    assert ink["none"] == 0
    assert ink["thin"] < 0.6 * ink["natural"] < ink["natural"] < ink["thick"] < ink["bushy"]
    assert ink["light"] < ink["natural"] < ink["dark"]
    shade = {n: brow_picture(BROWS[n])[..., :3][brow_picture(BROWS[n])[..., 3] > 128].mean() for n in ("light", "dark")}
    assert shade["dark"] < 0.5 * shade["light"]


def test_lash_looks_differ_as_their_names_say() -> None:
    ink = {name: cover(lash_picture(look)) for name, look in LASHES.items()}
    assert ink["none"] == 0
    assert 0 < ink["thin"] < ink["natural"] < ink["thick"]


def test_a_thin_brow_is_thin_at_its_edges() -> None:
    """The cells of the tufts at the edge are empty, those of the middle are not."""
    columns, rows = BROW_CELLS
    across = np.abs(brow_cards().across)

    def cells(name: str) -> np.ndarray:
        alpha = brow_picture(BROWS[name])[..., 3] / 255
        tall, wide = alpha.shape[0] // rows, alpha.shape[1] // columns
        each = alpha.reshape(rows, tall, columns, wide).mean(axis=(1, 3))
        return each.ravel()[: len(across)]

    thin, natural = cells("thin"), cells("natural")
    assert thin[across > 0.8].max() < 0.02 < natural[across > 0.8].mean()
    assert thin[across < 0.25].mean() > 0.5 * natural[across < 0.25].mean()


def test_grey_hairs_are_as_many_as_asked() -> None:
    look = replace(BROWS["thick"], grey=0.4)
    picture = brow_picture(look).astype(float) / 255
    solid = picture[picture[..., 3] > 0.9]
    white = (solid[:, :3].mean(axis=1) > 0.45).mean()
    assert 0.25 < white < 0.55
    assert (brow_picture(replace(look, grey=0.0))[..., :3].mean(axis=-1) < 115).all()


def test_pictures_are_the_same_every_time() -> None:
    for make in (lambda: brow_picture(BROWS["bushy"]), lambda: strand_picture((0.3, 0.2, 0.1), 0.2), cap):
        assert np.array_equal(make(), make())


def cap() -> np.ndarray:
    return cap_picture(HAIR_COLOURS["black"])


@pytest.mark.parametrize("colour", ["black", "blond", "white"])
def test_strands_are_dense_at_the_root_and_open_at_the_tip(colour: str) -> None:
    picture = strand_picture(HAIR_COLOURS[colour])
    alpha = picture[..., 3] / 255
    rows = alpha.mean(axis=1)
    assert rows[-40:].mean() > 0.6 and rows[:20].mean() < 0.3
    assert alpha.shape[1] % CARD_COLUMNS == 0
    seen = picture[alpha > 0.5][:, :3].mean(axis=0) / 255
    assert np.abs(seen - HAIR_COLOURS[colour]).max() < 0.12


def test_caps_begin_bare_and_repeat_sideways() -> None:
    alpha = cap()[..., 3] / 255
    assert alpha[-8:].mean() < 0.1 and alpha[:100].mean() > 0.9
    assert cap_picture(HAIR_COLOURS["black"], cover=0.4)[:100, :, 3].mean() / 255 < 0.6
    assert np.abs(np.diff(alpha.mean(axis=0))).max() < 0.2
