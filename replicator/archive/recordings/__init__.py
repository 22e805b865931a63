"""Recordings: the queue, downloads that reach public addresses only, and the stores that keep the files."""
