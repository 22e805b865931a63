"""Runs the whole examination: each part works alone, and a part that fails becomes a finding and hides no other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicator import assembly
from replicator.doctor import findings, source, surroundings
from replicator.doctor.database import LOCAL, of_clock, of_database
from replicator.errors import ReplicatorError
from replicator.settings import inspect
from replicator.store import diagnosis, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from replicator.doctor.findings import Area, Finding
    from replicator.settings import Settings
    from replicator.store.database import Database


@dataclass(frozen=True, slots=True)
class Examined:
    """The findings, and where the value of each setting comes from."""

    found: list[Finding]
    origins: dict[str, str]

    @property
    def exit_code(self) -> int:
        return findings.exit_code(self.found)

    def as_dict(self) -> dict[str, Any]:
        return {
            "exit_code": self.exit_code,
            "findings": [one.as_dict() for one in self.found],
            "settings": self.origins,
        }


def examine(*, with_source: bool = True) -> Examined:
    """Examine everything. Raises none of this program's own errors."""
    settings, problems = inspect()
    found: list[Finding] = []
    _add(found, "settings", lambda: surroundings.of_settings(settings, problems, with_source=with_source))
    here = surroundings.look(settings)
    _add(found, "machine", lambda: surroundings.of_machine(here))
    with ExitStack() as stack:
        database, facts = None, None
        if here.data_dir is None or (here.data_dir / "cluster").exists():
            database, facts = _database(settings, stack, found)
        if with_source:
            _add(found, "source", lambda: _source(settings, database, facts))
    return Examined(found, {name: place for place, names in settings.by_origin().items() for name in names})


def _add(found: list[Finding], area: Area, part: Callable[[], Iterable[Finding]]) -> None:
    """Add the findings of a part, up to a failure, which becomes a finding too."""
    try:
        for one in part():
            found.append(one)  # noqa: PERF402 - what came before a failure is kept
    except ReplicatorError as failure:
        found.append(findings.of(area, failure))
    except Exception as failure:  # noqa: BLE001 - a part that breaks must not hide the others
        found.append(
            findings.error(
                area,
                f"this could not be examined: {type(failure).__name__}",
                "report it: a check of doctor has a defect",
                exit_code=1,
                fault="this program",
            )
        )


def _database(
    settings: Settings, stack: ExitStack, found: list[Finding]
) -> tuple[Database | None, diagnosis.Facts | None]:
    """Connect to the database and examine it. The returned database can be used until the stack is closed."""
    reached: list[tuple[Database, diagnosis.Facts]] = []

    def part() -> Iterator[Finding]:
        where = stack.enter_context(assembly.place(settings))
        database = stack.enter_context(assembly.connected(where.url, naming.parse(settings.replicator_schemas)))
        sent = datetime.now(UTC)
        facts = diagnosis.read(
            database,
            account=settings.replicator_account,
            role_prefix=settings.replicator_role_prefix,
            time_zone=settings.replicator_reporting_time_zone,
        )
        reached.append((database, facts))
        now = facts.row("server").get("now")
        yield from of_database(
            facts, database.place, is_embedded=where.server is not None, role_prefix=settings.replicator_role_prefix
        )
        if now is not None:
            yield from of_clock(now, sent, datetime.now(UTC))
        if (folder := facts.row("folder").get("path")) and _is_here(facts):
            yield from surroundings.space(surroundings.free(Path(folder)), f"{folder}, where the server keeps its data")

    _add(found, "database", part)
    return reached[0] if reached else (None, None)


def _is_here(facts: diagnosis.Facts) -> bool:
    """Say whether the server runs on this machine, as far as its address shows."""
    address = facts.row("server").get("address")
    return address is None or str(address).startswith(LOCAL)


def _source(settings: Settings, database: Database | None, facts: diagnosis.Facts | None) -> Iterator[Finding]:
    limits = assembly.limits(settings)
    has_books = facts is not None and facts.fits is None and bool(facts.row("rights").get("may_write"))
    try:
        settings.api_keys()
    except ReplicatorError:
        return  # the settings' findings already say that it cannot be asked
    with assembly.readers(settings) as readers:
        account, base_url = settings.replicator_account, settings.truedy_base_url
        asked = source.ask(readers, limits, database if has_books else None, account, base_url)
    yield from source.of_source(
        asked, facts, base_url=settings.truedy_base_url, configured_limit=settings.truedy_requests_per_minute or None
    )


__all__ = ["Examined", "examine"]
