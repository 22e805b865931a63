"""Compares the replica with its source: chooses what to ask, interprets the answers, gives a verdict."""
