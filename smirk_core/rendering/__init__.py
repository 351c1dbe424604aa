# SPDX-License-Identifier: Apache-2.0
"""Pictures of heads on the CPU: rasteriser, shading, overlays, contact sheets."""
