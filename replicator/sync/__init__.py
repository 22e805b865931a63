"""Keeps the replica equal to the source: `engine/` decides what to do, and the modules here do it."""
