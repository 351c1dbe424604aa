# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the textures from photographs."""

TEXTURE = (
    "Texture from Photo",
    "Take the skin from the footage: the best frames of a clip, or the present frame; what is hidden is filled",
)
FILES = ("Add Photos", "Take the skin from the footage and from photos of the same person, chosen from disk")
REMOVE = ("Remove Texture", "Give the head the skin and brows back that it had before")
SOURCE = ("Frames", "Which frames of a clip are used")
SOURCES = (
    ("BEST", "Best Frames", "Sharp frames with the face at rest and the head turned variously"),
    ("FRAME", "Present Frame", "The frame that is shown now"),
)
COUNT = ("Number", "How many frames of a clip are used at most")
SIZE = ("Size", "Pixels of the texture")
MIRROR = ("Mirror", "Fill the hidden half of the face from the other one")
LIGHT = ("Remove Light", "How much of the photo's light and shade is taken off the skin")
GLARE = ("Remove Glare", "Take highlights off the skin")
BROWS = ("Brows", "Whose brows are seen")
BROW_KINDS = (
    ("PHOTO", "From Photo", "The photo's brows stay on the skin, and the head's own are hidden"),
    ("HEAD", "Of the Head", "The photo's brows are taken off the skin, and the head keeps its own"),
)
PHOTOS = ("Photos", "More photos of the same person, one path a line")

STATUS = "{stage}: {done} of {total} (Esc stops)"
STOPPED = "Stopped; the head is as it was"
GONE = "The head is not there any more"
NO_LOOK = "The materials of this head are not those it was built with"
NO_TAKE = "The head plays no take"
NO_TEXTURE = "The head wears no texture from a photo"
NO_FILES = "Choose one or more photos"
