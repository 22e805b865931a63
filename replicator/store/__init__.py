"""The database: schema, reading and writing, views, roll-ups, rights, and the embedded server. It knows nothing of
Truedy.
"""
