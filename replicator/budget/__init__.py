"""The request budget: the rules, one key's budget, its durable books, and the one way to spend a single request."""
