"""The tables, one module for each room of the database; schema.py puts them together."""
