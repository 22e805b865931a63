"""The request budget: its rules, the budget of one key and its stored counts, and a client for single requests."""
