"""Tests mirror the rooms of the package; helpers are modules named fix_*, by what they are for."""
