"""Knows Postgres, not Truedy: the schema, what is stored and how it is written, the views, the embedded server."""
