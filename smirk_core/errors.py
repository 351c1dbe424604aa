# SPDX-License-Identifier: Apache-2.0
"""Errors that a user can act on: one line that says what happened and what to do."""

from __future__ import annotations

__all__ = ["AssetError", "Cancelled", "ExportError", "MediaError", "SmirkError", "TakeError", "TrainingError"]


class SmirkError(Exception):
    """Base of every error meant for the user; the message is complete and holds no traceback."""


class MediaError(SmirkError):
    """A photo, video or image sequence cannot be opened or decoded, or shows no face."""


class TakeError(SmirkError):
    """A take file is damaged, from a newer version, or does not fit the head it is used with."""


class AssetError(SmirkError):
    """A bundled or user-supplied model file is missing, damaged or of the wrong kind."""


class ExportError(SmirkError):
    """A result could not be written; nothing half-written is left behind."""


class TrainingError(SmirkError):
    """A training run cannot start or go on: a wrong setting, a missing package, data that does not fit."""


class Cancelled(SmirkError):
    """Raised by a progress callback to stop a run; what is finished by then is kept."""
