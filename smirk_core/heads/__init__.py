# SPDX-License-Identifier: Apache-2.0
"""Head models: parameters in, vertices out."""
