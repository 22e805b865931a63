"""Holds, retention, disposal and erasure, and the list that keeps out what was erased."""
