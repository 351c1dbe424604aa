# SPDX-License-Identifier: Apache-2.0
"""What people wear on a head: how brows and lashes look, hair, beards and glasses as light meshes, and age.

NumPy alone; Blender and training both draw from here.
"""
