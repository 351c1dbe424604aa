# SPDX-License-Identifier: Apache-2.0
"""The user's own FLAME and SMIRK files, recognised wherever they lie and copied into the data folder."""

from .importer import ImportEntry, ImportReport, import_files

__all__ = ["ImportEntry", "ImportReport", "import_files"]
