"""The command `replicator reconcile disputes`: a file of what to claim from a party, with the evidence."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replicator import streams
from replicator.cli.front import Json  # noqa: TC001 - typer reads the annotations at run time
from replicator.cli.reconcile import Period, app, opened
from replicator.safe_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replicator.atomic_file import Sink

STDOUT = "-"


@app.command()
def disputes(
    period: Period,
    output: Annotated[str, typer.Option(metavar="FILE.csv", help="A new file, or - for standard output.")],
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
    from replicator.reconcile import unsettled
    from replicator.reconcile.wording import usd
    from replicator.report import terminal
    from replicator.store import comparisons, dispute_lines

    is_file = output != STDOUT
    if as_json and not is_file:
        raise typer.BadParameter("--json goes with a file: standard output holds the lines")
    with opened(as_json=as_json) as (settings, database):
        if is_file:
            atomic_file.check(Path(output), may_replace=overwrite)
        account = settings.replicator_account
        with database.connection() as connection:
            if not dispute_lines.is_matched(connection, account, period, party):
                raise ConfigurationError(
                    f"{period} was not matched yet with a statement of {party}",
                    advice=f"run: replicator reconcile match --period {period}; --party names another party",
                )
            foreign = unsettled.of_rows(comparisons.foreign(connection, account, party, period), ())
            replacing = atomic_file.replacing(Path(output), may_replace=overwrite) if is_file else None
            with replacing or atomic_file.standard_output() as sink:
                count, total = _write(sink, dispute_lines.lines(connection, account, period, party))
        if as_json:
            others = [one.as_dict() for one in foreign]
            typer.echo(
                terminal.as_json({"file": output, "lines": count, "difference_usd": total, "other_currencies": others})
            )
            return
        place = output if is_file else "standard output"
        streams.say(
            shown(f"{place}: {count:,} lines, {usd(total)} US dollars more than our calls cost"), err=not is_file
        )
        if left_out := unsettled.in_words(foreign, only_open=True):
            streams.say(shown(f"left out, because it is in another currency: {left_out}"), err=not is_file)


def _write(sink: Sink, lines: Iterable[Mapping[str, Any]]) -> tuple[int, Decimal]:
    """Write the header and the lines; return their number and the sum of their differences in US dollars."""
    from replicator.export.delimited import BYTE_ORDER_MARK, END, neutral, quoted
    from replicator.reconcile.disputes import COLUMNS, NUMBERS, row

    count, total = 0, Decimal(0)
    sink.write((BYTE_ORDER_MARK + ",".join(COLUMNS) + END).encode())
    for found in lines:
        cells = row(found)
        # A spreadsheet must not take anything of the party's file for a formula.
        line = ",".join(
            cells[name] if name in NUMBERS else quoted(neutral(cells[name])) if cells[name] else "" for name in COLUMNS
        )
        sink.write((line + END).encode())
        count, total = count + 1, total + found["delta_usd"]
    return count, total


__all__ = ["disputes"]
