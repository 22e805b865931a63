"""Reads and writes the CSV file of names: what people call the agents and campaigns of which the source tells ids only.

The header names the columns: `name`, and `agent_id` or `campaign_id` or both; `team` if wanted (of agents). Each row names
one agent or one campaign. An empty name takes the name away. Columns of other names are left alone, so a file that
`replicator names list --csv` wrote, and a person filled in, can be read. Pure.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.errors import ConfigurationError
from replicator.export.delimited import neutral, restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS = ("agent_id", "campaign_id", "name", "team")
LONGEST = 200
"""The most characters of a name, a team or a campaign's id."""
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Named:
    """An agent or a campaign with its name; None takes it away."""

    agent_id: UUID | None
    campaign_id: str | None
    name: str | None
    team: str | None = None


def parse(content: bytes) -> list[Named]:
    """Return the names in a file. Raises ConfigurationError with the line that cannot be used."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError(
            "the file is not UTF-8", advice="save it as CSV UTF-8 (in Excel: Save as, CSV UTF-8)"
        ) from None
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        raise ConfigurationError("the file is no CSV: a quote is not closed", advice="save it as CSV again") from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if "name" not in header or not {"agent_id", "campaign_id"} & set(header):
        raise ConfigurationError(
            "the file's first line does not name the columns",
            advice="it is agent_id,name or campaign_id,name or agent_id,campaign_id,name,team; "
            "replicator names list --csv writes such a file",
        )
    places = {name: header.index(name) for name in COLUMNS if name in header}
    found: dict[object, Named] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        one = _named({name: row[at].strip() if at < len(row) else "" for name, at in places.items()}, number)
        key = one.agent_id or one.campaign_id
        if key in found:
            raise ConfigurationError(f"line {number} names {key} a second time", advice="name each of them once")
        found[key] = one
    return list(found.values())


def _named(cells: dict[str, str], number: int) -> Named:
    agent, campaign = cells.get("agent_id", ""), restore(cells.get("campaign_id", ""))
    if bool(agent) == bool(campaign):
        raise ConfigurationError(
            f"line {number} names {'both an agent and a campaign' if agent else 'neither an agent nor a campaign'}",
            advice="each line has an agent_id or a campaign_id",
        )
    name, team = restore(cells.get("name", "")), restore(cells.get("team", ""))
    if max(map(len, (campaign, name, team))) > LONGEST:
        raise ConfigurationError(f"line {number} has a text of more than {LONGEST} characters", advice="shorten it")
    if "\0" in campaign + name + team:
        raise ConfigurationError(f"line {number} has a NUL character", advice="remove it")
    if not agent:
        return Named(None, campaign, name or None)
    try:
        return Named(UUID(agent), None, name or None, team or None)
    except ValueError:
        raise ConfigurationError(
            f"line {number} has an agent_id that is no id",
            advice="it is one such as 01234567-89ab-4cde-8f01-23456789abcd",
        ) from None


def write(names: Iterable[Named]) -> str:
    """Return the file, safe for spreadsheets."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in names:
        writer.writerow([one.agent_id or "", *(neutral(text or "") for text in (one.campaign_id, one.name, one.team))])
    return out.getvalue()


def described(names: Sequence[Named]) -> str:
    """Return how many names of what there are."""
    agents = sum(one.agent_id is not None for one in names)
    campaigns = len(names) - agents
    return f"{agents:,} agent{'' if agents == 1 else 's'}, {campaigns:,} campaign{'' if campaigns == 1 else 's'}"


__all__ = ["Named", "described", "parse", "write"]
