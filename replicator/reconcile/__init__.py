"""Compares what other parties charge with our calls: reads their statements, checks rates, watches budgets."""
