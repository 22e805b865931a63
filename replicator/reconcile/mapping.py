"""Says which column of a party's file is what, and how its texts are written. Pure: a mapping is made from TOML's values.

A mapping has the tables `columns`, `format` and `kinds`, and the words `name` and `party`. A column may name several
headers: the first that the file has is used. Headers are compared without case, spaces and marks.
"""

from __future__ import annotations

import hashlib
import json
import re
import zoneinfo
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from replicator.errors import ConfigurationError
from replicator.reconcile import amounts, instants
from replicator.reconcile.lines import USD, VENDOR, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping as Values
    from collections.abc import Sequence
    from datetime import tzinfo

FIELDS = (
    "line_id", "call_id", "provider_id", "started_at", "duration_seconds", "from_number", "phone_number", "direction",
    "amount", "currency", "kind", "description",
)  # fmt: skip
PARTY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}\Z")
DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "iso-8859-1", "iso-8859-15", "ascii")
SIGNS = ("positive", "negative")
KINDS = tuple(str(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Format:
    """How a file's texts are written. None: as the file shows."""

    time_zone: str = "UTC"
    decimal: str = "."
    delimiter: str | None = None
    sign: str = "positive"
    """What a charge is: `negative` where the party writes charges as negative amounts."""
    encoding: str | None = None
    dates: str | None = None
    durations: str = "seconds"
    currency: str = USD
    skip_lines: int = 0
    sheet: str | None = None
    totals: Sequence[str] = ("total", "grand total", "subtotal", "sub-total", "sum", "summe", "gesamt", "gesamtsumme")
    """Words in small letters: a line that has one of them in a cell, and names no call, is the file's own total."""
    reversed: Sequence[str] = ()
    """Kinds whose amounts have the opposite sign: a party that writes `credit; 5.00` means that it owes us 5.00."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping. `columns` has each field's headers in the order in which they are tried."""

    name: str = "default"
    party: str = VENDOR
    columns: Values[str, Sequence[str]] = field(default_factory=lambda: {name: (name,) for name in FIELDS})
    format: Format = field(default_factory=Format)
    kinds: Values[str, str] = field(default_factory=dict)

    @property
    def zone(self) -> tzinfo:
        return zoneinfo.ZoneInfo(self.format.time_zone)

    @property
    def version(self) -> str:
        """The hash of everything that the mapping says."""
        return hashlib.sha256(json.dumps(self._facts(), sort_keys=True).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """Return the mapping as it is stored with a statement, with its version."""
        return self._facts() | {"version": self.version}

    def _facts(self) -> dict[str, Any]:
        facts = asdict(self)
        facts["columns"] = {name: list(headers) for name, headers in self.columns.items()}
        facts["kinds"] = dict(self.kinds)
        facts["format"]["totals"] = list(self.format.totals)
        facts["format"]["reversed"] = sorted(self.format.reversed)
        if not self.format.reversed:
            del facts["format"]["reversed"]  # a mapping without it keeps its version
        return facts


def parse(values: Values[str, Any], place: str) -> Mapping:
    """Make a mapping from TOML's values. Raises ConfigurationError that names what is wrong; `place` is the file."""
    unknown = sorted(set(values) - {"name", "party", "columns", "format", "kinds"})
    if unknown:
        raise _wrong(
            place, f"it has {unknown[0]}, which is not known", "tables: columns, format, kinds; words: name, party"
        )
    columns = _columns(values.get("columns", {}), place)
    party = values.get("party", VENDOR)
    if not isinstance(party, str) or not PARTY.match(party):
        raise _wrong(place, "its party is no plain word", "vendor, or a carrier's name in small letters")
    kinds = values.get("kinds", {})
    for word, kind in _table(kinds, "kinds", place).items():
        if kind not in KINDS:
            raise _wrong(place, f"kinds has {word!r} = {kind!r}", f"each is one of {', '.join(KINDS)}")
    name = str(values.get("name", place))
    return Mapping(
        name, party, columns, _format(values.get("format", {}), place), {_key(word): kinds[word] for word in kinds}
    )


def _columns(given: Any, place: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, headers in _table(given, "columns", place).items():
        if name not in FIELDS:
            raise _wrong(place, f"columns has {name!r}", f"known: {', '.join(FIELDS)}")
        several = [headers] if isinstance(headers, str) else headers
        if not isinstance(several, list) or not several or not all(isinstance(one, str) and one for one in several):
            raise _wrong(
                place, f"the column {name} is no text", 'a header as in the file, or a list of them: ["Cost", "Price"]'
            )
        found[name] = tuple(several)
    if not found:
        return {name: (name,) for name in FIELDS}
    if "amount" not in found:
        raise _wrong(place, "it does not say which column is the amount", 'amount = "..." under [columns]')
    return found


def _format(given: Any, place: str) -> Format:
    table = _table(given, "format", place)
    allowed: dict[str, tuple[Any, ...] | type] = {
        "time_zone": str, "decimal": amounts.DECIMAL_SIGNS, "delimiter": DELIMITERS, "sign": SIGNS, "encoding": ENCODINGS,
        "dates": instants.ORDERS, "durations": tuple(instants.UNITS), "currency": str, "skip_lines": tuple(range(101)), "sheet": str, "totals": list, "reversed": list,
    }  # fmt: skip
    for name, value in table.items():
        may = allowed.get(name)
        if may is None:
            raise _wrong(place, f"format has {name!r}", f"known: {', '.join(allowed)}")
        if isinstance(may, tuple) and (isinstance(value, bool) or value not in may):
            said = "a number from 0 to 100" if name == "skip_lines" else f"one of {', '.join(map(repr, may))}"
            raise _wrong(place, f"{name} is {value!r}", said)
        if may is list and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise _wrong(place, f"{name} is no list of words", 'totals = ["Total"], reversed = ["credit"]')
        if may is str and not isinstance(value, str):
            raise _wrong(place, f"{name} is no text", "a text in quotes")
    if strange := [kind for kind in table.get("reversed", ()) if kind not in KINDS]:
        raise _wrong(place, f"reversed has {strange[0]!r}", f"each is one of {', '.join(KINDS)}")
    try:
        zoneinfo.ZoneInfo(table.get("time_zone", "UTC"))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong(place, "its time_zone is not known", "a name such as Europe/Berlin") from None
    try:
        amounts.currency(table.get("currency", USD))
    except ValueError:
        raise _wrong(place, "its currency is not known", "an ISO code such as USD") from None
    words = {"totals": tuple(_key(word) for word in table["totals"])} if "totals" in table else {}
    return Format(**(table | words))


def _table(given: Any, name: str, place: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _wrong(place, f"{name} is no table", f"lines below [{name}]")
    return given


def _wrong(place: str, what: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f"the mapping {place} is wrong: {what}", advice=f"expected: {expected}")


def _key(word: str) -> str:
    return word.strip().casefold()


def _plain(header: str) -> str:
    """Return what is compared of a header."""
    return re.sub(r"[\W_]+", "", header.casefold())


def find(mapping: Mapping, header: Sequence[str]) -> dict[str, int]:
    """Return the index of each field's column in a header. Fields without a column are left out.

    Raises ConfigurationError where two columns fit equally well.
    """
    found: dict[str, int] = {}
    plain = [_plain(name) for name in header]
    for name, candidates in mapping.columns.items():
        for candidate in candidates:
            exact = [at for at, one in enumerate(header) if one.strip() == candidate]
            at = exact or [at for at, one in enumerate(plain) if one and one == _plain(candidate)]
            if len(at) > 1:
                raise ConfigurationError(
                    f"the file has {len(at)} columns {candidate}, and {name} can be only one of them",
                    advice="name another column in the mapping, or rename one in a copy of the file",
                )
            if at:
                found[name] = at[0]
                break
    return found


def require(mapping: Mapping, header: Sequence[str]) -> dict[str, int]:
    """Return `find`. Raises ConfigurationError where the file has no column with the amount."""
    found = find(mapping, header)
    if "amount" not in found:
        wanted = ", ".join(mapping.columns["amount"])
        has = ", ".join(name.strip()[:40] for name in header[:30])
        raise ConfigurationError(
            f"the file has no column with the amount: the mapping {mapping.name} expects {wanted}, its header has: {has}",
            advice="write a mapping (docs/commands.md, reconcile import) and give it: --mapping FILE.toml",
        )
    return found
