# SPDX-License-Identifier: Apache-2.0
"""Who is in front of the camera and what makes them look so: the one place that knows the add-on's ways to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from blender_smirk.look import set_colour
from blender_smirk.materials import add_materials
from blender_smirk.nodes import linear
from blender_smirk.rig import HeadObjects
from smirk_core.heads.head_model import HeadModel
from smirk_core.rendering.head_sheets import random_identities
from smirk_core.rendering.looks import Look

__all__ = ["Person", "dress"]

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Person:
    """A person by number: 0 is the mean with the look that everyone gets first, others are drawn at random.

    Attributes:
        number: which stranger.
        plain: the usual look also for a stranger, so that only the shape differs.
    """

    number: int = 0
    plain: bool = False

    def identity_of(self, model: HeadModel) -> Floats:
        """(K,) coefficients."""
        if self.number == 0:
            return np.zeros(model.identity_size, np.float32)
        return random_identities(model, 1, seed=1000 + self.number)[0]


def dress(head: HeadObjects, model: HeadModel, person: Person, *, wrinkles: bool) -> None:
    """Materials and everything else that the add-on gives a head."""
    add_materials(head.mesh, model)
    smooth: Any = head.mesh.modifiers.new("Subdivision", "SUBSURF")  # as an artist does for a still; not in a viewport
    smooth.levels, smooth.render_levels = 0, 1
    if person.number and not person.plain:
        look = Look.random(np.random.default_rng(person.number))
        set_colour(head.mesh, "Skin tone", linear(look.skin)[:3])
        set_colour(head.mesh, "Iris", linear(look.iris)[:3])
    del wrinkles
