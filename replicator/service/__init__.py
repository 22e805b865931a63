"""Runs in the background: the schedule, the watchdog, the refresh of roll-ups, and the live page."""
