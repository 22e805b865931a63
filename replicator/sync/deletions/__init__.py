"""Decides when a stored call counts as deleted at the source, and what to ask to find out. Pure."""
