"""The behaviours that Truedy deployments showed or may show: one switch for each.

The default is the contract (`truedy-calls-api.txt`). A switch changes one thing only, so a test can name the behaviour
that it tests. `observed()` is the older self-hosted deployment as it ran; `hostile()` combines many faults. Shares are
0 to 1 and drawn from (seed, call), so the same call is always affected; rates are 0 to 1 and drawn per request from a
seeded generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from datetime import datetime

TranscriptShape = Literal["contact", "role", "message_role", "string", "text_object", "mixed"]
ErrorShape = Literal["contract", "detail", "inside", "detail_string", "detail_array", "mixed"]
ProxyShape = Literal["", "html", "empty", "octet"]


@dataclass(frozen=True, slots=True)
class Switches:
    """The behaviour of a deployment. Construct it with the differences from the contract, or start from a preset."""

    # Envelope and errors.
    envelope_meta_pagination: bool = False  # total/limit/offset inside meta, no pagination, no has_more
    meta_ts_naive: bool = False  # meta.ts without a zone
    error_shape: ErrorShape = "contract"
    proxy_errors: ProxyShape = ""  # how 502, 503 and 504 look when a proxy in front writes them

    # Rate limit: per key, fixed wall-clock windows.
    limit: int | None = 100  # requests per window; None is off
    window_seconds: float = 60.0
    further_limits: tuple[tuple[int, float], ...] = ()  # more (requests, seconds) windows: 1,000 an hour and so on
    reset_at_naive: bool = False  # reset_at without its Z
    reset_at_now_plus_window: bool = False  # reset_at is not the window's end
    rate_headers: bool = False  # Retry-After and X-RateLimit-*
    limiter_answers_500: bool = False  # 500 internal_error in place of 429
    limiter_per_path: bool = False  # counted per client address and path, before authentication
    limiter_workers: int = 1  # this many counters; any of them takes a request
    clock_skew_seconds: float = 0.0  # the server's clock minus the caller's

    # The account.
    empty_account: bool = False  # 200 with total 0, 404 for every id
    payment_required: bool = False  # 402 for everything
    forbidden: bool = False  # 403 for everything

    # Listing.
    created_filters: bool = False  # created_after and created_before are known
    created_bounds: Literal["inclusive", "exclusive"] = "inclusive"  # … with the instants themselves, or without
    ignored_filters: frozenset[str] = frozenset()  # silently not applied
    limit_unchecked: bool = False  # any limit, 0 and negative offsets included
    order: Literal["descending", "ascending", "unsorted"] = "descending"
    tie_every: int = 0  # of every so many calls …
    tie_size: int = 0  # … so many share one created_at
    tie_shuffle: Literal["", "request", "update"] = ""  # ties in another order per request, or after any update
    cap: int | None = None  # rows that a listing can reach, after the filters; total stops there too
    short_page_rate: float = 0.0  # a page shorter than its limit without being the last
    total_missing: bool = False
    has_more_lies: Literal["", "always", "never"] = ""
    bad_row_share: float = 0.0  # no id, wrong types, duplicate keys, null, a string
    page_bytes: int = 0  # a page of 100 rows weighs about this much (embedded transcripts)

    # The call's fields.
    time_format: Literal["z", "offset", "naive"] = "z"
    fractions: Literal["six", "three", "none", "python"] = "six"  # python: six digits, or none when zero
    null_updated_at_share: float = 0.0  # of the oldest calls
    spell_to_from: bool = False  # to/from for phone_number/from_number
    spell_metadata: bool = False  # metadata for context
    spell_cost_credits: bool = False  # cost_credits (hundredths) for cost_usd
    omitted_fields: frozenset[str] = frozenset()
    extra_fields: bool = False  # call_settings, ultravox_call_id, end_reason
    status_spellings: bool = False  # in-progress, ended, cancelled
    webrtc_share: float = 0.0  # direction webrtc, no phone numbers
    active_forever_share: float = 0.0  # the end event was lost
    nul_and_surrogates_share: float = 0.0  # in context
    huge_context_share: float = 0.0
    huge_context_bytes: int = 1_000_000
    deep_json_share: float = 0.0
    deep_json_depth: int = 400
    correction_share: float = 0.01  # cost corrected days after the call

    # Transcripts.
    transcript_shape: TranscriptShape = "contact"
    transcript_in_rows: Literal["", "array", "object", "string"] = ""  # list rows carry it
    transcript_empty_in_detail: bool = False  # 200 with [] while the row holds the text
    seconds_per_segment: float = 8.5  # of a transcript, on average
    transcript_missing_share: float = 0.02  # never produced
    transcript_late_seconds: float = 45.0  # typical wait after the end
    transcript_replaced: Literal["", "longer", "shorter"] = ""
    transcript_replaced_seconds: float = 3600.0  # after it was first there
    reading_moves_updated_at: bool = False  # the first read of a transcript moves the row
    poison_share: float = 0.0  # the first read of a transcript makes the row unserialisable

    # Recordings and their storage.
    recording_base_url: str = "https://recordings.example.net"
    recording_missing_share: float = 0.05
    recording_cached_share: float = 0.6  # the row carries recording_url without anybody having asked
    recording_signed_expiring: bool = False
    recording_expires_seconds: float = 900.0
    recording_extra_fields: bool = False  # format and duration_seconds beside recording_url
    provider_down_until: datetime | None = None  # 502 provider_error on recordings and creation
    provider_errors_are_404: bool = False  # … shown as 404, after provider_seconds
    provider_seconds: float = 0.0
    storage_missing_share: float = 0.0  # the file link answers 404
    storage_ignores_range: bool = False
    recording_kinds: tuple[str, ...] = ("wav", "mp3", "ogg")  # each call has one of them
    recording_seconds: float = 0.5  # of audio
    storage_html_share: float = 0.0  # 200 with an HTML page
    storage_redirects: int = 0  # so many before the file
    storage_inside_share: float = 0.0  # a redirect to the metadata service's address
    storage_cut_rate: float = 0.0  # the file ends early

    # Writing.
    bulk_path: Literal["bulk-delete", "bulk"] = "bulk-delete"
    delete_active_status: Literal[422, 409] = 422

    # The network and the machine.
    latency_seconds: float = 0.0
    list_seconds_per_1000: float = 0.0  # of matching calls
    deep_offset_seconds_per_1000: float = 0.0
    deep_offset_timeout: int | None = None  # from this offset on: 504 after deep_offset_timeout_seconds
    deep_offset_timeout_seconds: float = 30.0
    one_at_a_time: bool = False  # one request at a time, whatever the concurrency
    error_rate: float = 0.0  # 500, 502, 503, 504
    connection_cut_rate: float = 0.0  # no answer at all
    truncated_body_rate: float = 0.0  # the body ends early
    close_after_500: bool = False  # unannounced: the next request on that connection is reset
    gzip: bool = False
    gzip_bomb_bytes: int = 0  # list answers that unpack to this size

    @classmethod
    def contract(cls) -> Self:
        """Return the API as documented."""
        return cls()

    @classmethod
    def observed(cls) -> Self:
        """Return the older, self-hosted deployment as it was seen running."""
        return cls(
            meta_ts_naive=True,
            error_shape="mixed",
            proxy_errors="octet",
            reset_at_naive=True,
            reset_at_now_plus_window=True,
            limiter_answers_500=True,
            limiter_per_path=True,
            limiter_workers=2,
            ignored_filters=frozenset({"agent_id", "created_after", "created_before"}),
            limit_unchecked=True,
            tie_every=50,
            tie_size=3,
            tie_shuffle="update",
            cap=1000,
            fractions="python",
            omitted_fields=frozenset({"from_number", "summary"}),
            extra_fields=True,
            status_spellings=True,
            webrtc_share=0.02,
            active_forever_share=0.005,
            transcript_shape="message_role",
            transcript_in_rows="array",
            page_bytes=4_600_000,
            list_seconds_per_1000=0.018,
            transcript_empty_in_detail=True,
            reading_moves_updated_at=True,
            poison_share=0.002,
            recording_missing_share=0.1,
            provider_errors_are_404=True,
            storage_missing_share=0.05,
            storage_ignores_range=True,
            bulk_path="bulk",
            one_at_a_time=True,
            close_after_500=True,
        )

    @classmethod
    def hostile(cls) -> Self:
        """Return many faults at once: a run must lose nothing with any of them."""
        return cls(
            error_shape="mixed",
            proxy_errors="html",
            reset_at_naive=True,
            clock_skew_seconds=-37.0,
            ignored_filters=frozenset({"agent_id"}),
            tie_every=20,
            tie_size=7,
            tie_shuffle="request",
            short_page_rate=0.1,
            bad_row_share=0.005,
            time_format="offset",
            null_updated_at_share=0.05,
            extra_fields=True,
            status_spellings=True,
            webrtc_share=0.05,
            active_forever_share=0.01,
            nul_and_surrogates_share=0.02,
            huge_context_share=0.001,
            deep_json_share=0.005,
            correction_share=0.05,
            transcript_shape="mixed",
            transcript_missing_share=0.1,
            transcript_replaced="shorter",
            reading_moves_updated_at=True,
            recording_signed_expiring=True,
            error_rate=0.03,
            connection_cut_rate=0.02,
            truncated_body_rate=0.01,
            close_after_500=True,
            gzip=True,
        )

    def but(self, **changes: Any) -> Self:
        """Return these switches with `changes`."""
        return replace(self, **changes)


PRESETS = {"contract": Switches.contract, "observed": Switches.observed, "hostile": Switches.hostile}
