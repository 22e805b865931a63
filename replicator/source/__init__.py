"""Knows Truedy, not Postgres: the client, the request budget, the records and how payloads read."""
