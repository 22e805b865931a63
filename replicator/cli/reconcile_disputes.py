"""The command `replicator reconcile disputes`: a file of what to claim from a party, with the evidence."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from replicator import streams
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.cli.reconcile import Period, app, opened
from replicator.safe_text import shown


@app.command()
def disputes(
    period: Period,
    output: Annotated[Path, typer.Option(metavar="FILE.csv", help="A new file.")],
    party: Annotated[
        str,
        typer.Option("--party", metavar="NAME", help="Whose lines: vendor, or a carrier. A file is for one party."),
    ] = "vendor",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a file of claims: the lines that charge more than our calls cost, with our call and the reason."""
    from replicator import atomic_file
    from replicator.errors import ConfigurationError
    from replicator.export.delimited import BYTE_ORDER_MARK, END, neutral, quoted
    from replicator.reconcile import unsettled
    from replicator.reconcile.disputes import COLUMNS, NUMBERS, row
    from replicator.reconcile.wording import usd
    from replicator.report import terminal
    from replicator.store import comparisons, dispute_lines

    count, total = 0, Decimal(0)
    with opened(as_json=as_json) as (settings, database):
        atomic_file.check(output, may_replace=overwrite)
        account = settings.replicator_account
        with database.connection() as connection:
            if not dispute_lines.is_matched(connection, account, period, party):
                raise ConfigurationError(
                    f"{period} was not matched yet with a statement of {party}",
                    advice=f"run: replicator reconcile match --period {period}; --party names another party",
                )
            with atomic_file.replacing(output, may_replace=overwrite) as sink:
                # A spreadsheet must not take anything of the party's file for a formula.
                sink.write((BYTE_ORDER_MARK + ",".join(COLUMNS) + END).encode())
                for found in dispute_lines.lines(connection, account, period, party):
                    cells = row(found)
                    line = ",".join(
                        cells[name] if name in NUMBERS else quoted(neutral(cells[name])) if cells[name] else ""
                        for name in COLUMNS
                    )
                    sink.write((line + END).encode())
                    count, total = count + 1, total + found["delta_usd"]
            foreign = unsettled.of_rows(comparisons.foreign(connection, account, party, period), ())
        if as_json:
            typer.echo(
                terminal.as_json(
                    {"file": str(output), "lines": count, "difference_usd": total}
                    | {"other_currencies": [one.as_dict() for one in foreign]}
                )
            )
        else:
            streams.say(shown(f"{output}: {count:,} lines, {usd(total)} US dollars more than our calls cost"))
            if left_out := unsettled.in_words(foreign, only_open=True):
                streams.say(shown(f"not in the file, because it is in another currency: {left_out}"))


__all__ = ["disputes"]
