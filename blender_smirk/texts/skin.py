# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the panel *Skin*. Pairs are label and tooltip."""

from __future__ import annotations

PANEL = "Skin"
NUMBERS = {
    "Redness": ("Redness", "Flush of cheeks, nose, ears and chin"),
    "Freckles": ("Freckles", "Spots where the sun shines"),
    "Age": ("Age", "Unevenness, age spots and coarser skin: 0 is 25 years, 1 is 75"),
    "Oiliness": ("Oil", "Gloss of forehead, nose and chin"),
    "Pores": ("Pores", "Depth of the pores"),
    "Sockets": ("Dark Circles", "Darkness around the eyes"),
    "Stubble": ("Stubble", "Shadow of a shaved beard"),
    "Shaved hair": ("Shaved Hair", "Shadow of shaved hair on the scalp"),
}
SET = ("Skin", "Give the head one of the skins that come with the add-on: tone, freckles, age and the rest at once")
PRESET = "Skin"
BAKE = (
    "Bake Skin",
    "Paint the skin into packed images (colour, roughness, specular, normals) to export and to paint on",
)
SIZE = ("Size", "Pixels of the square images")
SEED = ("Seed", "Another number gives other freckles, moles and blotches")
REMOVE = ("Remove Baked Skin", "Take the images off: the live skin comes back")
BAKED = "Baked the skin into 4 images of {size} pixels"
NO_NUMBERS = "The materials of this head are not those it was built with"
NO_BAKE = "The head wears no baked skin"
