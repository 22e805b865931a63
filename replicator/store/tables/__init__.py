"""The tables: one module for each part of the database. schema.py puts them together."""
