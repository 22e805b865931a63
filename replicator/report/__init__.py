"""Output for people: the HTML report, and the terminal's progress, tables and summaries. It shows results of the other
rooms.
"""

DEFAULT_DAYS = 30
"""The days of a report, unless others are asked for. It is here because the command line shows it before it loads the
report.
"""
