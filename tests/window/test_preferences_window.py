# SPDX-License-Identifier: Apache-2.0
"""The preferences in a real window; see :mod:`preferences_scenarios`."""

from __future__ import annotations

import sys


def test_preferences_are_shown_and_the_test_button_works(detector, window, pictures):
    output = window("preferences_scenarios:look", python=sys.executable)
    assert "Traceback" not in output  # what fails while drawing
    assert (pictures / "preferences_fresh.png").stat().st_size > 10_000
    assert (pictures / "preferences_tested.png").stat().st_size > 10_000
