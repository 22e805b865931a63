"""Replicates Truedy voice-agent calls into PostgreSQL. The rooms are listed in docs/architecture.md."""

__version__ = "0.1.0"
