# SPDX-License-Identifier: Apache-2.0
"""From media to takes: decoding, faces, crops, the clip solve, filters."""
