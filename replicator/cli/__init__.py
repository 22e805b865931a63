"""The command line: its entry point, and one module for each group of commands. No other room imports this one."""

from replicator.cli import accounts, archive, commands, quarantine, sync, tools
from replicator.cli.front import app, main

app.add_typer(accounts.app, name="accounts")
app.add_typer(archive.app, name="archive")
app.add_typer(quarantine.app, name="quarantine")

__all__ = ["accounts", "app", "archive", "commands", "main", "quarantine", "sync", "tools"]
