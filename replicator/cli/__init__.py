"""The command line: the front door, and one module for each group of commands. Nothing imports this room."""

from replicator.cli import accounts, commands
from replicator.cli.front import app, main

app.add_typer(accounts.app, name="accounts")

__all__ = ["accounts", "app", "commands", "main"]
