"""What people look at: the terminal's progress, tables and summaries. Knows the words of the other rooms, not their work."""

DEFAULT_DAYS = 30
"""The days of a report, unless others are asked for. Here, because the command line shows it before it loads the report."""
