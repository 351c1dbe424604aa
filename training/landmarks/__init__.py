# SPDX-License-Identifier: Apache-2.0
"""Where a detector's landmarks sit on the head, measured."""
