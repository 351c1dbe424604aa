# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on remembers in scenes, objects and actions."""
