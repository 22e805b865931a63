"""The command line: the front door, and one module for each group of commands. Nothing imports this room."""

from replicator.cli import accounts, commands, quarantine, tools
from replicator.cli.front import app, main

app.add_typer(accounts.app, name="accounts")
app.add_typer(quarantine.app, name="quarantine")

__all__ = ["accounts", "app", "commands", "main", "quarantine", "tools"]
