# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the panel *Takes* and its operators."""

from __future__ import annotations

__all__: list[str] = []

PANEL = "Takes"
EMPTY = "No takes yet: capture some footage"
TAKE = "Take"
TAKE_TIP = "Name of the take; empty is the one chosen in the list"
LIST_TIP = "The take that the buttons mean"
PLAYING = "Played by {head}"
OF_HEAD = ("Show {take}", "Choose the take that the active head plays")
DETAILS = "{frames} frames, {seconds:.1f} s"
LOST_ONCE = "Face lost once"
LOST = "Face lost {count} times"
CONFIDENCE = "Confidence"

MAKE_CURRENT = ("Make Current", "Let the chosen head play this take")
FOOTAGE = "Footage and Sound"
FOOTAGE_TIP = "Show and play the footage of this take and of no other, and set the frame range to it"
OVERWRITE = "Overwrite Edits"
OVERWRITE_TIP = "Replace curves that were edited by hand, too"
KEEP = "Keep Edits"
KEEP_TIP = "Leave curves that were edited by hand as they are and change the others"
DUPLICATE = ("Duplicate Take", "Copy this take with its keys, its refinements and its raw data")
DELETE = ("Delete Take", "Remove this take from the file; heads that play it keep their pose")
PUSH = ("Push to NLA", "Put this take onto NLA tracks of the chosen head and stop playing it, to layer and to edit it")
PUSHED = "Pushed onto {count} tracks"
MARK = ("Mark as Asset", "Offer this take in the asset browser, with a picture of its liveliest frame")
CLEAR = ("Clear Asset", "Take this take out of the asset browser; it stays in the file")
IMPORT = ("Import Take", "Put a take that was tracked before onto a head, without tracking again")
AGAIN = ("Onto a Head", "Put this take onto a new head or onto the selected one, without tracking again")
TARGET = "Onto"
TARGET_TIP = "Which head gets the take"
TARGET_NEW = ("New Head", "Build a head with the shape of the face in the take")
TARGET_SELECTED = ("Selected Head", "The head that is selected; its face stays whose it is")
FRAME_START = "Scene Frame"
FRAME_START_TIP = "Scene frame on which the take begins"
RAW = "Without Filters"
RAW_TIP = "Key the take as it was solved, without its filters"
PICTURE = "Picture"
PICTURE_TIP = "Draw a picture of the take for the asset browser"
ADD_MARKERS = ("Add Markers", "Mark in the timeline where the face was lost and where it was found again")
REMOVE_MARKERS = ("Remove Markers", "Remove the markers that say where the face was lost")
MARKED = "The face was lost {count} times"
NEVER_LOST = "The face was never lost"
SELECT = ("Choose Take", "Choose this take in the list")

NO_TAKE = "There is no take: capture some footage first"
NO_SUCH_TAKE = "There is no take called '{name}'"
NO_HEAD = "Select a head made by this add-on first"
IS_LINKED = "The take is linked from another file"
IS_ASSET = "The take is an asset already"
NO_ASSET = "The take is no asset"
NO_MARKERS = "There are no such markers"
