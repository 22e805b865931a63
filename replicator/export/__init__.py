"""Exports views to files: the question, the form of each cell, and a file that appears only when it is complete."""
