# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the panel *Scene* and its operators."""

from __future__ import annotations

__all__: list[str] = []

PANEL = "Scene"
CAMERA = "Camera"
MATCH = ("Match Camera", "Look at the head as its footage does, and render in the footage's size")
VIEW = "View"
VIEW_TIP = "Which of the head's cameras"
ORTHOGRAPHIC = ("Orthographic", "Covers the footage everywhere; no perspective, as the head was solved")
PERSPECTIVE = ("Perspective", "With a focal length; covers the footage in the middle of the face")
LENS = "Lens"
LENS_MM = "mm"
LENS_TIP = "Focal length in millimetres; 0 leaves it as it is. The head moves nearer or further to stay in place"
FOOTAGE = "Footage"
SHOW = ("Show Footage", "Show or hide the footage behind the head")
SHOWN = "Show"
SHOWN_TIP = "Whether the footage is shown"
HIDE = "Hide Footage"
OPACITY = "Opacity"
OPACITY_TIP = "How much of the footage is seen; below 0 leaves it as it is"
SOUND = ("Set Sound", "Let the sound of the footage be heard, or not")
ON = "On"
ON_TIP = "Whether the sound is heard"
SOUND_ON, SOUND_OFF = "Sound On", "Sound Off"
NO_SOUND = "The footage has no sound, or it is gone"
RATE = ("Set Frame Rate", "Run the scene at the footage's rate, or keep the scene's and place keys by time")
POLICY = "Rate"
POLICY_TIP = "Whose frame rate counts"
RATE_FOOTAGE = ("Footage's", "The scene runs at the rate of the footage: a key on each frame")
RATE_SCENE = ("Scene's", "The scene keeps its rate; keys are placed by their time stamps, between frames where need be")
FPS = "Frames per Second"
FPS_TIP = "Another rate for the scene first; 0 leaves it as it is"
RATE_SET = "The scene runs at {rate:.3f} frames per second"
OUT_OF_STEP = "Keys and sound are in time; the picture behind the head is in step at {rate:.4g} fps only"
NO_CAMERA = "The head has no cameras: its take does not say where in a picture it is"
