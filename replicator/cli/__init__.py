"""The command line: its entry point, and one module for each group of commands. No other room imports this one."""

from replicator.cli import accounts, archive, archive_export, archive_governance, commands, quarantine, sync, tools
from replicator.cli.front import app, main

archive.app.command("export")(archive_export.export)

app.add_typer(accounts.app, name="accounts")
archive_governance.attach(archive.app)
app.add_typer(archive.app, name="archive")
app.add_typer(quarantine.app, name="quarantine")

__all__ = [
    "accounts", "app", "archive", "archive_export", "archive_governance", "commands", "main", "quarantine", "sync", "tools",
]  # fmt: skip
