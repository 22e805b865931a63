"""Replicates Truedy voice-agent calls into PostgreSQL. docs/architecture.md lists the rooms
(folders) of the package.
"""

__version__ = "0.1.0"
