# SPDX-License-Identifier: Apache-2.0
"""Named subsets of MediaPipe's 478 face landmarks, as index tables. Left and right are the subject's."""

from __future__ import annotations

__all__ = ["LIPS", "MEDIAPIPE_105", "OUTER_EYES"]

# The 105 points that SMIRK's losses use, in the order of its embedding file (specification, section 2.4).
MEDIAPIPE_105: tuple[int, ...] = (
    276, 282, 283, 285, 293, 295, 296, 300, 334, 336, 46, 52, 53, 55, 63, 65, 66, 70, 105, 107, 249, 263, 362, 373, 374,
    380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466, 7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161,
    163, 173, 246, 168, 6, 197, 195, 5, 4, 129, 98, 97, 2, 326, 327, 358, 0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82,
    84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270, 291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375,
    402, 405, 409, 415,
)  # fmt: skip

# The 40 lip points among them: outer and inner contour.
LIPS: tuple[int, ...] = MEDIAPIPE_105[65:]

# Outer eye corners: right eye, left eye. Their distance is the yardstick of landmark errors.
OUTER_EYES: tuple[int, int] = (33, 263)
