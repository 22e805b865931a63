"""Computes the life of call number `index` from (seed, index) alone, so that a million calls need no memory. Pure. A
`Life` is a call's whole timeline, decided at its creation; `World` shows as much of it as has happened.

An identifier contains its index, masked, so that no table from identifiers to calls is needed. Instants are integers:
microseconds since 1970 (UTC), named `_us`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.simulator import texts

if TYPE_CHECKING:
    from replicator.simulator.switches import Switches

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Of 256 calls, how many end how. Completed calls are about 62 %.
_OUTCOMES = ("completed",) * 159 + ("no_answer",) * 41 + ("voicemail",) * 28 + ("busy",) * 15 + ("failed",) * 13
TERMINAL = frozenset({"completed", "failed", "no_answer", "busy", "voicemail", "ended", "cancelled"})
CONNECTED = frozenset({"completed", "voicemail"})
#: A life's regular events are over this long after the creation; corrections may follow.
SETTLED_US = 4 * HOUR
CORRECTED_US = 6 * DAY

_HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 16, 24, 26, 24, 18, 22, 26, 26, 22, 16, 10, 6, 4, 3, 2, 1)
#: Calls by hour of the week; 1970-01-01 was a Thursday, so days 2 and 3 are the weekend.
_WEEK = [0.0, *accumulate(hour * (0.15 if day in {2, 3} else 1.0) for day in range(7) for hour in _HOURS)]


def to_us(at: datetime) -> int:
    """Return an aware datetime as microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime."""
    return EPOCH + timedelta(microseconds=us)


def digest(seed: int, index: int) -> bytes:
    """Return the 32 bytes from which call `index` is made."""
    return hashlib.blake2b(b"%d:%d" % (seed, index), digest_size=32).digest()


def luck(seed: int, index: int, what: str) -> float:
    """Return a number from 0 to 1 that decides whether this call is one of the unusual ones for `what`."""
    drawn = hashlib.blake2b(f"{seed}:{index}:{what}".encode(), digest_size=7).digest()
    return int.from_bytes(drawn) / 2**56


def _mask(seed: int, head: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(b"%d/" % seed + head, digest_size=6).digest())


def identifier(seed: int, index: int) -> str:
    """Return the UUID of call `index`."""
    head = bytearray(digest(seed, index)[:10])
    head[6] = head[6] & 0x0F | 0x40
    head[8] = head[8] & 0x3F | 0x80
    tail = index ^ _mask(seed, bytes(head))
    text = (bytes(head) + tail.to_bytes(6)).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def index_of(seed: int, call_id: str) -> int | None:
    """Return the index that `identifier` put into `call_id`, or None if no index gives this identifier."""
    try:
        whole = UUID(call_id)
    except ValueError:
        return None
    index = int.from_bytes(whole.bytes[10:]) ^ _mask(seed, whole.bytes[:10])
    return index if identifier(seed, index) == str(whole) else None


def agent_id(seed: int, number: int) -> str:
    """Return the UUID of agent `number`."""
    return str(UUID(bytes=hashlib.blake2b(b"%d agent %d" % (seed, number), digest_size=16).digest(), version=4))


def agent_number(number: int) -> str:
    """Return the phone number that is assigned to agent `number`."""
    return f"+120255501{number:02d}"


def _work(us: int) -> float:
    """Return the amount of calling since 1970, in units of the weekly pattern."""
    weeks, rest = divmod(us, WEEK)
    hour, within = divmod(rest, HOUR)
    return weeks * _WEEK[-1] + _WEEK[hour] + (_WEEK[hour + 1] - _WEEK[hour]) * within / HOUR


def _when(work: float) -> int:
    """Return the instant at which that amount of calling was reached."""
    weeks, rest = divmod(work, _WEEK[-1])
    hour = min(bisect_right(_WEEK, rest) - 1, 167)
    return int(weeks) * WEEK + int((hour + (rest - _WEEK[hour]) / (_WEEK[hour + 1] - _WEEK[hour])) * HOUR)


def created_us(seed: int, index: int, *, calls: int, now_us: int, days: float, switches: Switches) -> int:
    """Return when call `index` of the first `calls` was created: rising with the index, and more calls by day."""
    if switches.tie_every and index % switches.tie_every < switches.tie_size:
        index -= index % switches.tie_every
    jitter = int.from_bytes(digest(seed, index)[30:32]) / 65536
    first, last = _work(now_us - int(days * DAY)), _work(now_us)
    return _when(first + (last - first) * (index + jitter) / calls)


@dataclass(frozen=True, slots=True)
class Life:
    """A call's timeline. None: it never happens."""

    index: int
    call_id: str
    agent: int
    direction: str
    outcome: str
    phone_number: str | None
    from_number: str | None
    created_us: int
    ringing_us: int
    started_us: int | None
    ended_us: int | None
    transcript_us: int | None
    replaced_us: int | None
    recording_us: int | None
    cached_us: int | None
    billed_us: int | None
    corrected_us: int | None
    cost_usd: Decimal | None
    corrected_usd: Decimal | None
    topic: str
    context: dict[str, Any]

    def events(self) -> list[int]:
        """Return the instants at which the row changes, rising."""
        times = (
            self.created_us,
            self.ringing_us,
            self.started_us,
            self.ended_us,
            self.transcript_us,
            self.replaced_us,
            self.cached_us,
            self.billed_us,
            self.corrected_us,
        )
        return sorted(at for at in times if at is not None)

    @property
    def duration_seconds(self) -> int | None:
        """Return the connected time in whole seconds."""
        if self.started_us is None or self.ended_us is None:
            return None
        return (self.ended_us - self.started_us) // SECOND


def outcome_of(seed: int, index: int, drawn: bytes, switches: Switches) -> str:
    """Return how the call ends, in this deployment's words; an empty string where the end event was lost."""
    if switches.active_forever_share and luck(seed, index, "active forever") < switches.active_forever_share:
        return ""
    outcome = _OUTCOMES[drawn[18]]
    if switches.status_spellings:
        if outcome == "completed" and drawn[19] % 2:
            return "ended"
        if outcome == "failed" and drawn[19] % 3 == 0:
            return "cancelled"
    return outcome


def direction_of(seed: int, index: int, drawn: bytes, switches: Switches) -> str:
    """Return outbound for about seven calls of ten."""
    if switches.webrtc_share and luck(seed, index, "webrtc") < switches.webrtc_share:
        return "webrtc"
    return "outbound" if drawn[17] < 180 else "inbound"  # noqa: PLR2004 - of 256


def _odd(seed: int, index: int, what: str, share: float) -> bool:
    return share > 0 and luck(seed, index, what) < share


def _context(seed: int, index: int, drawn: bytes, random: Random, switches: Switches) -> dict[str, Any]:
    context: dict[str, Any] = {}
    kind = drawn[23]
    if kind < 150:  # noqa: PLR2004 - of 256
        context["campaign_id"] = texts.CAMPAIGNS[kind % len(texts.CAMPAIGNS)]
    if kind % 4 == 0:
        context["customer"] = {
            "ref": f"C-{random.randrange(10_000):05d}",
            "tags": random.sample(("new", "gold", "trial"), 2),
        }
    if kind % 16 == 1:
        context["nested"] = {"a": {"b": [{"c": None}, {"c": 1.5}, {"c": True}]}, "ünï": "naïve"}
    if _odd(seed, index, "nul", switches.nul_and_surrogates_share):
        context["broken\x00key"] = "a NUL \x00, a lone surrogate \ud800 and another \udfff"
    if _odd(seed, index, "huge", switches.huge_context_share):
        context["huge"] = "x" * switches.huge_context_bytes
    if _odd(seed, index, "deep", switches.deep_json_share):
        deep: Any = "the bottom"
        for _ in range(switches.deep_json_depth):
            deep = {"d": deep}
        context["deep"] = deep
    return context


def life(seed: int, index: int, created: int, agents: int, switches: Switches, forced: str | None = None) -> Life:
    """Return the life of call `index`, created at `created` (µs); `forced` is an outcome chosen by the caller."""
    drawn = digest(seed, index)
    random = Random(int.from_bytes(drawn[:8]))  # noqa: S311 - a simulation
    outcome = outcome_of(seed, index, drawn, switches) if forced is None else forced
    direction = direction_of(seed, index, drawn, switches)
    agent, other = drawn[16] % agents, texts.fictional_number(random)
    ours = agent_number(agent)
    callee, caller = (ours, other) if direction == "inbound" else (other, ours)
    context = _context(seed, index, drawn, random, switches)
    ringing = created + random.randrange(1, 4 * SECOND)
    connected = outcome in {"completed", "ended", "voicemail", ""}
    pickup = ringing + random.randrange(2 * SECOND, 25 * SECOND)
    seconds = max(3, min(3000, int(random.lognormvariate(4.6, 0.75)))) if outcome != "voicemail" else 8 + drawn[20] // 8
    if outcome in {"completed", "ended"} and _odd(seed, index, "short", switches.short_share):
        seconds = max(0, drawn[20] % 16 - 6)  # picked up and hung up, or a few words
    ended = pickup + seconds * SECOND + random.randrange(SECOND) if connected else pickup
    bill = ended + random.randrange(30 * SECOND, 600 * SECOND)
    produced = ended + int(random.expovariate(1) * switches.transcript_late_seconds * SECOND) + SECOND
    produced = min(produced, created + SETTLED_US)
    cost = (Decimal(-(-seconds // 6)) * Decimal("0.0073")).quantize(Decimal("0.0001")) if connected else None
    corrected = bill + random.randrange(DAY, 5 * DAY)
    ready = ended + random.randrange(5 * SECOND, 90 * SECOND)
    ends, billed = bool(outcome), connected and bool(outcome) and drawn[22] != 7  # noqa: PLR2004 - one in 256 never is
    has_text = connected and ends and not _odd(seed, index, "transcript missing", switches.transcript_missing_share)
    has_audio = connected and ends and not _odd(seed, index, "recording missing", switches.recording_missing_share)
    is_cached = has_audio and luck(seed, index, "recording cached") < switches.recording_cached_share
    is_corrected = billed and _odd(seed, index, "correction", switches.correction_share)
    if switches.outcomes and outcome in {"completed", "ended"} and seconds >= 30:  # noqa: PLR2004 - long enough for one
        context["outcome"] = ("booked", "call back", "no interest")[drawn[25] % 3]
    if outcome in {"failed", "cancelled"}:
        context["last_error"] = texts.ERRORS[drawn[24] % len(texts.ERRORS)]
    return Life(
        index=index,
        call_id=identifier(seed, index),
        agent=agent,
        direction=direction,
        outcome=outcome,
        phone_number=None if direction == "webrtc" else callee,
        from_number=None if direction == "webrtc" else caller,
        created_us=created,
        ringing_us=ringing,
        started_us=pickup if connected else None,
        ended_us=ended if ends else None,
        transcript_us=produced if has_text else None,
        replaced_us=produced + int(switches.transcript_replaced_seconds * SECOND)
        if has_text and switches.transcript_replaced
        else None,
        recording_us=ready if has_audio else None,
        cached_us=ready + 20 * SECOND if is_cached else None,
        billed_us=bill if billed else None,
        corrected_us=corrected if is_corrected else None,
        cost_usd=cost if billed else None,
        corrected_usd=cost - Decimal("0.0073") if is_corrected and cost is not None else None,
        topic=texts.TOPICS[drawn[21] % len(texts.TOPICS)],
        context=context,
    )
