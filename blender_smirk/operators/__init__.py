# SPDX-License-Identifier: GPL-3.0-or-later
"""What buttons do: thin wrappers around the functions of :mod:`blender_smirk.api`."""
