# SPDX-License-Identifier: Apache-2.0
"""Takes as files for other programs, one module per format."""
