# SPDX-License-Identifier: Apache-2.0
"""SMIRK's image encoder: a crop of a face to pose, camera, identity, expression, lids and jaw."""
