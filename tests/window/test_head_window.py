# SPDX-License-Identifier: Apache-2.0
"""The panels Head, Character and Files in a real window."""

from __future__ import annotations

from test_refine_window import lossy_take

__all__ = ["lossy_take"]


def test_the_head_is_changed_and_undone(window, pictures, lossy_take):
    window("head_scenarios:head", take=lossy_take)
    assert (pictures / "head.png").is_file() and (pictures / "stranger.png").is_file()


def test_a_character_is_matched(window, pictures, lossy_take):
    window("head_scenarios:character", take=lossy_take)
    assert (pictures / "character.png").is_file()
