# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the panel *Person*. Pairs are label and tooltip."""

from __future__ import annotations

PANEL = "Person"
PERSON = ("Start from a Person", "Give the head the face, age, skin, hair and glasses of one of these people")
WHO = ("Person", "Who the head becomes")
AGE = ("Set Age", "Let the person grow or age: shape, grey hair, skin and wrinkles; whose face it is stays")
YEARS = ("Age", "Years, from 6 to 90")
AGE_NOW = "{:.0f} years"
HAIR = ("Hair", "Give the head hair that follows it, or take it off")
BEARD = ("Beard", "Give the head a beard that follows its jaw and lips, or take it off")
GLASSES = ("Glasses", "Fit glasses to nose and ears of this face, or take them off")
STYLE = ("Style", "Which one")
BROWS = ("Brows", "How the brows look")
LASHES = ("Lashes", "How the lashes look")
LOOK = ("Look", "Which look")
HAIR_COLOUR = ("Hair Colour", "Colour hair, beard and brows")
COLOUR = ("Colour", "Colour of the hair in daylight")
GREY = ("Grey", "Share of hairs that have lost their colour")
NONE = "None"
NO_TUFTS = "Only heads built from the open head have brows and lashes of cards"
NOT_OPEN = "Only the open head has ages, hair and glasses"
