"""Replicates Truedy voice-agent calls into PostgreSQL. The README lists the rooms, docs/architecture.md all modules."""

__version__ = "0.1.0"
