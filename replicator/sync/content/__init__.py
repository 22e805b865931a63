"""Decides what an observation changes in the replica: calls, their details, and what a status means. Pure."""
