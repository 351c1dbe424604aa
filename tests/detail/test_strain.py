# SPDX-License-Identifier: Apache-2.0
"""Strain of the mesh: known motions, and folds where the open head's own expressions shorten its skin."""

from __future__ import annotations

import numpy as np

from smirk_core.detail.groups import group_index
from smirk_core.detail.heights import wrinkle_maps
from smirk_core.detail.strain import StrainLaw, group_strain, surface_strain
from smirk_core.heads.library import load_head

OPEN = load_head()
SIZE = 512


def test_stiff_motion_strains_nothing_and_growth_all_alike() -> None:
    maps = wrinkle_maps(OPEN, SIZE)
    rows = maps.texels[0][::50]
    rest = OPEN.template.astype(np.float64)
    turn = np.array([0.01, 0, 0]) + np.cross([1e-4, 2e-4, -1e-4], rest)
    assert np.abs(surface_strain(OPEN, maps, rows, turn)).max() < 1e-6
    grown = surface_strain(OPEN, maps, rows, 0.1 * rest)
    assert np.allclose(grown, 0.1 * np.eye(2), atol=1e-6)


def test_a_forehead_pressed_from_below_folds_across() -> None:
    pressed = np.zeros_like(OPEN.template, dtype=np.float64)
    pressed[:, 1] = -0.1 * OPEN.template[:, 1]
    strain = group_strain(OPEN, pressed[None], SIZE)[:, 0]
    assert strain[group_index("forehead")] < -0.06
    assert strain[group_index("frown_left")] > -0.03  # upright lines are not shortened by it


def test_raised_brows_shorten_the_forehead_and_a_law_follows() -> None:
    names = ("browInnerUp", "mouthPucker", "noseSneerLeft")
    basis = OPEN.expression_basis[[OPEN.expression_names.index(n) for n in names]]
    strain = -group_strain(OPEN, basis, SIZE)
    forehead = group_index("forehead")
    assert strain[forehead, 0] > 0.03 and strain[forehead, 0] > 3 * abs(strain[forehead, 1])
    law = StrainLaw(strain)
    folds = law.folding(np.eye(3))
    assert folds[0, forehead] > 0.1 and folds[1, forehead] == 0 and not law.folding(np.zeros((1, 3))).any()
