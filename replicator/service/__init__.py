"""What goes on by itself: the schedule, the watchdog, the roll-ups' refresh, and the live page."""
