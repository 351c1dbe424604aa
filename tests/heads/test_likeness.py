# SPDX-License-Identifier: Apache-2.0
"""Symmetry and chance in identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smirk_core.errors import TakeError
from smirk_core.heads.decode import decode
from smirk_core.heads.library import load_head
from smirk_core.heads.likeness import LIMIT, mirror_order, random_identity, symmetric_identity


def unevenness(identity: np.ndarray) -> float:
    """Greatest distance, in metres, between a face and its mirror image."""
    model = load_head()
    vertices = decode(model, {"identity": identity[None].astype(np.float32)}).vertices[0]
    return float(np.abs(vertices - vertices[mirror_order(model)] * [-1, 1, 1]).max())


def test_symmetry_makes_both_sides_alike():
    model = load_head()
    person = random_identity(model, 3)
    whole, half = (unevenness(symmetric_identity(model, person, s)) for s in (1.0, 0.5))
    assert unevenness(person) > 1e-3
    assert whole < 1e-5
    assert half == pytest.approx(unevenness(person) / 2, rel=1e-3)
    assert np.allclose(symmetric_identity(model, person, 0.0), person)
    again = symmetric_identity(model, person)
    assert np.allclose(symmetric_identity(model, again), again, atol=1e-5)


def test_a_short_identity_is_filled_up():
    model = load_head()
    assert symmetric_identity(model, np.ones(3)).shape == (model.identity_size,)


def test_chance_is_repeatable_and_plausible():
    model = load_head()
    people = np.stack([random_identity(model, seed, 1.2) for seed in range(40)])
    assert np.array_equal(people[5], random_identity(model, 5, 1.2))
    assert np.abs(people).max() <= LIMIT and people.std() > 0.8
    assert len(np.unique(people[:, 0])) == 40
    assert not random_identity(model, 1, 0.0).any()


def test_a_head_without_symmetry_is_refused():
    model = load_head()
    lopsided = model.template + np.where(model.template[:, :1] > 0.02, [0.0, 0.01, 0.0], 0.0)
    with pytest.raises(TakeError, match="no symmetry"):
        mirror_order(replace(model, template=lopsided, digest="lopsided"))
