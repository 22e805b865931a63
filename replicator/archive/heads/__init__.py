"""Signed heads of the chain outside of the database: keys, places, time stamps, and the schedule."""
