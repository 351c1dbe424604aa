# SPDX-License-Identifier: GPL-3.0-or-later
"""All words that the add-on shows, one file per feature: the place for a translator to look."""
