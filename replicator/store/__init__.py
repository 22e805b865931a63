"""Knows Postgres, not Truedy: the schema, the merge, the books, the views, the embedded server."""
