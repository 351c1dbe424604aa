# SPDX-License-Identifier: Apache-2.0
"""Refinement of takes as layers: applied, changed and taken away again without loss, always from the raw take."""
