# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the panel *Head*. Pairs are label and tooltip."""

from __future__ import annotations

PANEL = "Head"
PANEL_IDENTITY, PANEL_EXPRESSION, PANEL_GAZE, PANEL_LOOK = "Identity", "Expression", "Gaze", "Look"

# Identity
SLIDERS = ("Identity Sliders", "Make the first components of the identity sliders; the face stays as it is")
SLIDER_COUNT = ("Sliders", "How many components become sliders")
BAKE = ("Bake Identity", "Take the face as it is now into the mesh and remove the identity sliders")
SYMMETRISE = ("Symmetrise Face", "Make both sides of the face alike")
RANDOMISE = ("Random Face", "Give the head the face of a plausible stranger; its animation stays")
RESET = ("Reset to Captured", "Give the head the face back that was captured")
STRENGTH = ("Strength", "0 changes nothing, 1 all the way")
SEED = ("Seed", "Which stranger; the same number gives the same face")
SPREAD = ("Spread", "How far from the mean face, in standard deviations")
LIKENESS = ("Likeness", "How much of the captured face stays")

# Expression
PRESET = ("Expression", "Which expression or mouth shape")
APPLY_PRESET = (
    "Apply Expression",
    "Bring the head to this expression at the present frame; mouth shapes leave the eyes alone",
)
EVEN = ("Even Expression", "Make the expression at the present frame the same on both sides")
SIDE = ("Side", "Which side counts")
SIDES = (
    ("average", "Average", "The mean of both sides"),
    ("left", "Left", "What the subject's left does"),
    ("right", "Right", "What the subject's right does"),
)
INSERT_KEYS = ("Insert Keys", "Key what was set, at the present frame")
UNKEYED = "The head is animated: without keys this lasts until the frame changes"

# Gaze
SET_GAZE = (
    "Look at Target",
    "Let the eyes look at a target, within what eyes can do; the take's own gaze is kept below",
)
GAZE_KIND = ("Target", "What the eyes look at")
GAZE_KINDS = (
    ("EMPTY", "New Empty", "A new empty in front of the face"),
    ("CAMERA", "Camera", "The scene's camera"),
    ("SELECTED", "Selected Object", "The other selected object"),
)
CLEAR_GAZE = ("Restore Gaze", "Give the take its gaze back")
INFLUENCE = "Influence"
NO_CAMERA = "The scene has no camera"
NO_SELECTED = "Select one object beside the head, to look at"

# Look
SKIN = ("Skin", "Tone of the skin; flush and lips follow")
LIPS = ("Lips", "Colour of the lips")
IRIS = ("Iris", "Colour of the eyes")
ROUGHNESS = ("Roughness", "Roughness of the skin: low is oily, high is powdered")

NO_HEAD = "Select a captured head"
LINKED = "The head is linked from another file: make it local or a library override first"
NO_ARKIT = "The expressions of this head have no ARKit names"
NO_SLIDERS = "This head has no identity sliders"
NO_TARGET = "The eyes have no target"
NO_LOOK = "The materials of this head are not those it was built with"
