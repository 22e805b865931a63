"""The command line: its entry point, and one module for each group of commands. No other room imports this one."""

from replicator.cli import (
    accounts,
    commands,
    quarantine,
    reconcile,
    reconcile_disputes,
    reconcile_match,
    reconcile_rates,
    sync,
    tools,
)
from replicator.cli.front import app, main

app.add_typer(accounts.app, name="accounts")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(reconcile.app, name="reconcile")

__all__ = [
    "accounts", "app", "commands", "main", "quarantine", "reconcile", "reconcile_disputes", "reconcile_match", "reconcile_rates", "sync", "tools",
]  # fmt: skip
