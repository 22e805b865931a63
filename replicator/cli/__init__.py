"""The command line: its entry point, and one module for each group of commands. No other room imports this one."""

from replicator.cli import accounts, commands, names, quarantine, sync, tools
from replicator.cli.front import app, main

app.add_typer(accounts.app, name="accounts")
app.add_typer(names.app, name="names")
app.add_typer(quarantine.app, name="quarantine")

__all__ = ["accounts", "app", "commands", "main", "names", "quarantine", "sync", "tools"]
