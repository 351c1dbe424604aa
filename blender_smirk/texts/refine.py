# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the panel *Refine* and its operators."""

from __future__ import annotations

__all__: list[str] = []

PANEL = "Refine"
SMOOTHING = "Smoothing"
CALIBRATION = "Neutral Face"
AMOUNT = "Amount"
REPAIR = "Gaps"
TIMING = "Mirror and Time"
KEYS = "Keys"

BROWS, EYES, MOUTH, JAW, HEAD, GAZE = "Brows", "Eyes", "Mouth", "Jaw", "Head", "Gaze"
MOUTH_TOO = "; cheeks and nose move with the mouth"
SMOOTH_TIP = "How much to smooth here: 0 leaves the capture as it is"
GAIN_TIP = "How much of the motion here: 1 is as captured, 0 none"
GAIN_HEAD_TIP = "How far the head turns: 1 is as captured; it stays where it is in the picture"
METHOD = "Method"
METHOD_TIP = "How to smooth"
SAVGOL = ("Keeps Peaks", "Fits a curve through neighbouring frames; fast motion keeps its height")
ONE_EURO = ("Calm When Still", "Smooths much while the face is still, and little while it moves fast")
WINDOW = "Width"
WINDOW_TIP = "How many frames are smoothed together, an odd number"
REMOVE = "Remove"
BAD_FRAMES = "Bad Frames"
BAD_FRAMES_TIP = "Take out single frames that jump away from their neighbours"
USE_NEUTRAL = "Neutral Face"
USE_NEUTRAL_TIP = "Take the face at a chosen moment for the face at rest"
NEUTRAL_TIME = "At"
NEUTRAL_TIME_TIP = "Moment at which the face is at rest, in seconds of the footage"
NEUTRAL_GAZE = "Gaze, Too"
NEUTRAL_GAZE_TIP = "The eyes look straight ahead at that moment"
GAPS = "While Lost"
GAPS_TIP = "What the face does while none was seen"
GAPS_KEEP = ("As Solved", "Whatever the solve made of it")
GAPS_INTERPOLATE = ("Interpolate", "Move straight to where the face is found again")
GAPS_HOLD = ("Hold", "Stay as last seen")
CONFIDENCE = "Trust From"
CONFIDENCE_TIP = "Frames that are trusted less than this count as lost, too"
MIRROR = "Mirror"
MIRROR_TIP = "Swap left and right, as in a mirror"
OFFSET = "Later By"
OFFSET_TIP = "Move the performance by so many scene frames against its footage and sound"
KEYING = "Keys"
KEYING_TIP = "Where the curves get their keys"
TRACKED = ("As Tracked", "A key where the footage has a frame")
EVERY = ("Every Frame", "A key on every frame of the scene")
REDUCED = ("As Few as Possible", "Only as many keys as keep all curves within the error")
ERROR = "Error"
ERROR_TIP = "How far a curve may be off: of weights as such, of rotations in radians, of the head's place in 0.1 m"

APPLY = ("Apply", "Make the curves of the take anew from what was captured, with these settings")
RESET = ("Reset to Raw", "Take all refinements away: the curves as they were captured")
SET_NEUTRAL = ("This Frame Is Neutral", "Take the face on the current frame for the face at rest")
CLEAR_NEUTRAL = ("Clear Neutral", "Take the face as captured again")
APPLIED = "{frames} frames, {keys} keys"
NEUTRAL_AT = "Neutral at {time:.2f} s of the footage"
EDITED = "Curves edited by hand: {count}"
PENDING = "Not applied yet"
FROM_TRACKING = "Has other filters: {names}"
