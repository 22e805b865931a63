"""The source: the client of the Truedy Calls API and the parsers of its answers. It knows nothing of PostgreSQL."""
