"""Knows Truedy, not Postgres: the client, and how payloads read."""
