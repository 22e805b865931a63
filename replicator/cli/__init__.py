"""The command line: its entry point, and one module for each group of commands. No other room imports this one."""

from replicator.cli import (
    accounts,
    archive,
    archive_erasure,
    archive_export,
    archive_governance,
    commands,
    names,
    quarantine,
    reconcile,
    reconcile_disputes,
    reconcile_match,
    reconcile_rates,
    sync,
    tools,
)
from replicator.cli.front import app, main

archive.app.command("export")(archive_export.export)
archive_governance.attach(archive.app)
archive.app.registered_commands += archive_erasure.app.registered_commands

app.add_typer(accounts.app, name="accounts")
app.add_typer(archive.app, name="archive")
app.add_typer(names.app, name="names")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(reconcile.app, name="reconcile")

__all__ = [
    "accounts", "app", "archive", "archive_erasure", "archive_export", "archive_governance", "commands", "main", "names", "quarantine",
    "reconcile", "reconcile_disputes", "reconcile_match", "reconcile_rates", "sync", "tools",
]  # fmt: skip
