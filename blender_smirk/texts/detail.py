# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the panel *Wrinkles*. Pairs are label and tooltip."""

from __future__ import annotations

PANEL = "Wrinkles"

ADD = ("Add Wrinkles", "Let the skin fold with the expression: forehead, frown, crow's feet, nose, cheeks, lips, chin")
REMOVE = ("Remove Wrinkles", "Give the head its smooth skin back")
DISPLACEMENT = (
    "True Displacement",
    "Move the surface in Cycles instead of its normals alone; subdivides the head while rendering",
)
ON, STRENGTH, AGE = "Wrinkles", "Strength", "Age"
PERSON_STRENGTH = "Own Relief"

RECOVER = ("Detail from Footage", "Recover what this person's skin has of its own from the footage of the take")
FRAMES = ("Frames", "At most how many frames of the clip are looked at")
LOAD = ("Load Detail", "Wear the detail of a person from a file; it stays when the expression changes")
SAVE = ("Save Detail", "Recover the person's detail from the footage and write it to a file")
REMOVE_PERSON = ("Remove Detail", "Let the head wrinkle as anybody does again")

BAKE = ("Bake Maps", "Write height and normal maps of every group and of the present frame into a folder")
BAKE_SIZE = ("Size", "Texels to a side of the whole UV square")

BAKED = "Wrote {count} maps into {folder}"

NO_WRINKLES = "The head has no wrinkles yet"
NO_PERSON = "The head wears no person's detail"
NO_ARKIT = "The expressions of this head have no ARKit names"
NO_LOOK = "The materials of this head are not those it was built with"
NO_TAKE = "The head plays no take"
NO_UVS = "This head has no texture layout"
