"""How much of one answer is believed. Everything beyond is refused before it can cost memory, time or the database.

docs/architecture.md lists these; tests/test_limits.py compares the two.
"""

from __future__ import annotations

MAX_BODY_BYTES = 64 * 1024 * 1024
"""One answer, after decompression. A list page beyond is asked again with half as many rows."""
MAX_ROW_BYTES = 8 * 1024 * 1024
"""One call of a list. Of a larger one the largest fields are set aside, each with its first so many bytes."""
MAX_DEPTH = 200
"""Brackets within brackets in one row. Python gives up near 1,000, jsonb near 50,000."""
MAX_DIGITS = 1_000
"""Characters of one number."""
MAX_EXPONENT = 1_000
"""Powers of ten of one number, up and down: numeric can hold what it stands for."""
MAX_NUMBER_CHARACTERS = 128
"""A phone number or address. A longer one is no number, and would fit no index (a B-tree holds 2,704 bytes)."""
