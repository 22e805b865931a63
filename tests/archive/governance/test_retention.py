"""Retention: by calendar, the longest class counts, and compliance is never shortened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given

from replicator.archive.governance.precedence import Retention
from replicator.archive.governance.retention import (
    Basis,
    Keep,
    KeptCall,
    Mode,
    RetentionClass,
    binding,
    check_name,
    is_shorter,
    parse_keep,
    refusal,
    retain_until,
    term,
)
from replicator.errors import ConfigurationError

pytestmark = pytest.mark.pure

AGENT = UUID(int=7)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def kept(name: str = "all", keep: str = "6y", version: int = 1, basis: Basis = Basis.STATUTORY, mode: Mode = Mode.GOVERNANCE,
         direction: str | None = None, agent: UUID | None = None, campaign: str | None = None) -> RetentionClass:  # fmt: skip
    return RetentionClass(name, version, basis, mode, parse_keep(keep), direction, agent, campaign)


@pytest.mark.parametrize(
    ("since", "keep", "until"),
    [
        ("2024-02-29", "1y", "2025-03-01"), ("2024-02-29", "4y", "2028-02-29"), ("2026-01-31", "1m", "2026-03-01"),
        ("2026-12-31", "18m", "2028-07-01"), ("2026-11-30", "3m", "2027-03-01"), ("2026-03-01", "90d", "2026-05-30"),
        ("2026-05-15", "1y6m10d", "2027-11-25"), ("2026-12-31", "0d", "2026-12-31"), ("2025-12-31", "2m", "2026-03-01"),
    ],
)  # fmt: skip
def test_time_goes_by_the_calendar_and_never_ends_early(since: str, keep: str, until: str) -> None:
    """Where a month has no such day, the time ends on the first of the next one."""
    ended = parse_keep(keep).until(datetime.fromisoformat(since).replace(tzinfo=UTC))
    assert ended == datetime.fromisoformat(until).replace(tzinfo=UTC)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - Hypothesis wants them naive
    st.integers(0, 300),
    st.integers(0, 900),
)
def test_time_only_grows(at: datetime, months: int, days: int) -> None:
    """A later call is never kept less long, and one more month or day never makes the end earlier."""
    since = at.replace(tzinfo=UTC)
    end = Keep(months, days).until(since)
    assert end >= since
    assert Keep(months, days).until(since + timedelta(days=1)) >= end
    assert Keep(months + 1, days).until(since) > end
    assert Keep(months, days + 1).until(since) > end


@pytest.mark.parametrize("text", ["", "6", "6w", "-1y", "1d1y", "y", "999y", "1.5y", "forever", "\uff16y."])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_keep(text)


def test_a_time_is_written_as_it_is_read() -> None:
    assert [str(parse_keep(one)) for one in ("6y", "18m", "90d", "1y6m3d", "0d")] == [
        "6y",
        "1y6m",
        "90d",
        "1y6m3d",
        "0d",
    ]


def test_a_class_selects_by_all_that_it_names() -> None:
    """Direction, agent and campaign; what it does not name, it does not ask for."""
    call = KeptCall(NOON, "inbound", AGENT, "spring")
    assert kept().applies_to(call)
    assert kept(direction="inbound", agent=AGENT, campaign="spring").applies_to(call)
    for other in (kept(direction="outbound"), kept(agent=UUID(int=8)), kept(campaign="autumn")):
        assert not other.applies_to(call)
    assert not kept(campaign="spring").applies_to(KeptCall(NOON))


def test_the_longest_class_of_a_basis_counts() -> None:
    """Adding a class never shortens anything; the two bases are apart."""
    call = KeptCall(NOON, "inbound")
    classes = [kept("short", "90d"), kept("long", "2y", direction="inbound"), kept("ours", "1m", basis=Basis.BUSINESS)]
    found = term(classes, Basis.STATUTORY, call)
    assert found is not None
    assert (found.by, found.until) == ("long", NOON.replace(year=2028))
    assert found.state(NOON.replace(year=2028)) is Retention.OVER
    assert found.state(NOON.replace(year=2028) - timedelta(microseconds=1)) is Retention.RUNNING
    assert retain_until(classes, call) == NOON.replace(year=2028)
    assert retain_until([], call) is None
    assert term([], Basis.BUSINESS, call) is None


def test_compliance_is_never_shortened() -> None:
    """Not by a shorter time, a narrower selection, another mode or another basis; longer and wider is allowed."""
    old = kept(mode=Mode.COMPLIANCE, direction="inbound")
    fine = [
        kept(keep="7y", version=2, mode=Mode.COMPLIANCE, direction="inbound"),
        kept(version=2, mode=Mode.COMPLIANCE),
    ]
    wrong = [
        kept(keep="5y", version=2, mode=Mode.COMPLIANCE, direction="inbound"),
        kept(version=2, mode=Mode.COMPLIANCE, direction="outbound"),
        kept(version=2, mode=Mode.COMPLIANCE, direction="inbound", agent=AGENT),
        kept(version=2, mode=Mode.COMPLIANCE, direction="inbound", campaign="spring"),
        kept(version=2, direction="inbound"),
        kept(version=2, mode=Mode.COMPLIANCE, direction="inbound", basis=Basis.BUSINESS),
    ]
    assert [refusal([old], one) for one in fine] == [None, None]
    assert None not in [refusal([old], one) for one in wrong]
    assert refusal([kept()], kept(keep="1d", version=2)) is None


def test_a_version_that_was_written_by_hand_shortens_nothing() -> None:
    """Each version that was ever in mode compliance counts on; of governance only the latest."""
    strict = [kept(mode=Mode.COMPLIANCE), kept(keep="1d", version=2)]
    assert retain_until(binding(strict), KeptCall(NOON)) == NOON.replace(year=2032)
    loose = [kept(), kept(keep="1d", version=2)]
    assert retain_until(binding(loose), KeptCall(NOON)) == NOON + timedelta(days=1)


@given(st.integers(0, 40), st.integers(0, 70), st.integers(0, 40), st.integers(0, 70))
def test_shorter_means_that_some_call_would_be_kept_less_long(months: int, days: int, months2: int, days2: int) -> None:
    new, old = Keep(months, days), Keep(months2, days2)
    found = [
        new.until(NOON + timedelta(days=day)) < old.until(NOON + timedelta(days=day)) for day in range(0, 1461, 97)
    ]
    assert is_shorter(new, old) or not any(found)
    assert not (is_shorter(new, old) and months >= months2 and days >= days2)


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 101, "x\n"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(ConfigurationError):
        check_name(name)
