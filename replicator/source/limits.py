"""Limits of what is accepted in one answer. Anything beyond is refused before it costs memory, time or database space.

docs/architecture.md lists these limits; tests/test_limits.py compares the two.
"""

from __future__ import annotations

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The size of one answer, after decompression. A larger list page is asked for again with half as many rows."""
MAX_ROW_BYTES = 8 * 1024 * 1024
"""The size of one call in a list. In a larger one the largest fields are set aside, each with its first bytes up to
this limit.
"""
MAX_DEPTH = 200
"""The nesting depth of brackets in one row. Python fails near 1,000, jsonb near 50,000."""
MAX_DIGITS = 1_000
"""The length of one number, in characters."""
MAX_EXPONENT = 1_000
"""The exponent of one number, positive or negative: PostgreSQL's numeric can hold such a value."""
MAX_NUMBER_CHARACTERS = 128
"""The length of a phone number or address. A longer text is none, and would fit no index (a B-tree
holds 2,704 bytes).
"""
