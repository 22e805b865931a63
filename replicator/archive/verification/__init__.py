"""Verifies an account's chain: recomputes everything, compares it with what is stored, and names each fault."""
