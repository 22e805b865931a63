"""The settings: name, default, meaning and allowed values of each.

settings.py says where a value comes from.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from replicator import setting_values

if TYPE_CHECKING:
    from replicator.sync.coverage.ledger import RenewalPolicy

VENDOR_URL = "https://api.truedy.ai/api/public/v1"
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z|\[[0-9a-f:.]+\]\Z")


class SettingFields(BaseModel):
    """All settings. Names in the environment are the field names in capitals."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, allow_inf_nan=False, defer_build=True)

    truedy_api_key: Annotated[
        SecretStr | None,
        Field(
            description="API key (bearer) of the source. Several keys, comma separated, are several request budgets of one account. "
            "Required by every command that talks to the source.",
        ),
    ] = None
    truedy_api_key_file: Annotated[
        Path | None,
        Field(description="File that holds the key, instead of `TRUEDY_API_KEY`. Nobody else may be able to write it."),
    ] = None
    truedy_base_url: Annotated[
        str,
        Field(
            description="Base URL of the source, up to and including `/api/public/v1`. A key is sent to another URL than "
            "the vendor's only if both come from the same place (the environment, or `.env`).",
        ),
    ] = VENDOR_URL
    truedy_requests_per_minute: Annotated[
        int,
        Field(
            ge=0,
            description="Requests that the source allows per key and window: the starting limit, adjusted when the API refuses requests. "
            "0: the source has no limit.",
        ),
    ] = 100
    truedy_window_seconds: Annotated[
        float, Field(gt=0, le=86400, description="Length of the source's rate window.")
    ] = 60.0
    database_url: Annotated[
        SecretStr | None,
        Field(
            description="Database, in any form that libpq accepts: `postgresql://user:password@host:5432/name` (several "
            "hosts, a socket's folder, parameters such as `sslmode` behind a `?`), or keywords such as `service=calls`. "
            "Special characters of a password as `%40` and so on. libpq's own variables fill what it leaves out; where "
            "`PGHOST`, `PGHOSTADDR`, `PGSERVICE` or `PGDATABASE` is set, they are enough. Without all of these, a PostgreSQL "
            "of our own is started in the data directory for the command.",
        ),
    ] = None
    replicator_data_dir: Annotated[
        Path | None,
        Field(
            description="Folder of the embedded PostgreSQL. Default: the user's data directory; for root "
            "`/var/lib/truedy-replicator`.",
        ),
    ] = None
    replicator_account: Annotated[
        str, Field(min_length=1, max_length=200, description="Name under which the rows of this source are stored.")
    ] = "default"
    replicator_headroom: Annotated[
        float, Field(ge=0, lt=1, description="Share of the request budget that is left to your own use of the API.")
    ] = 0.05
    replicator_poll_seconds: Annotated[
        float, Field(ge=1, le=86400, description="How often `serve` looks for new and changed calls.")
    ] = 60.0
    replicator_workers: Annotated[int, Field(ge=1, le=64, description="Requests that may be under way at once.")] = 8
    replicator_request_timeout_seconds: Annotated[
        float, Field(gt=0, le=3600, description="How long one request may take in all. Large accounts list slowly.")
    ] = 120.0
    replicator_sync_seconds: Annotated[
        float,
        Field(gt=0, description="Deadline of one scheduled sync of `serve`; the rest is left to the next one."),
    ] = 3600.0
    replicator_hang_seconds: Annotated[
        float,
        Field(
            ge=1,
            description="How long `serve` may show no sign of life before it ends itself with code 1, so that its "
            "supervisor starts it again. Waiting for a lock (up to 30 s) gives no sign of life.",
        ),
    ] = 300.0
    replicator_database_patience_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=86400,
            description="How long a sync waits for a database that is away, locked or out of space, at its start and in "
            "the middle. `serve` tries again at its next sync, without end.",
        ),
    ] = 60.0
    replicator_renewal: Annotated[
        str,
        Field(
            description="How often calls are compared again, by age: `age:period` pairs with s, m, h or d, by rising "
            "age; the last age is `older`.",
        ),
    ] = setting_values.RENEWAL_WORDS
    replicator_renewal_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of the request budget that may compare calls again before REPLICATOR_RENEWAL demands it, "
            "those compared longest ago first. Only requests that nothing else needs are used.",
        ),
    ] = 0.3
    replicator_details: Annotated[
        tuple[str, ...],
        Field(description="What is fetched beside the calls: `transcript`, `recording`, both, or `none`."),
    ] = ("transcript", "recording")
    replicator_give_up_days: Annotated[
        float,
        Field(
            gt=0,
            le=3650,
            description="Age of a call's end after which a missing transcript or recording counts as absent: after three requests over at least a day.",
        ),
    ] = 7.0
    replicator_confirm_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=30 * 86400,
            description="Seconds between the two answers that confirm a deletion at the source.",
        ),
    ] = 600.0
    replicator_reporting_time_zone: Annotated[
        str | None,
        Field(
            description="Time zone of the days in the reports, such as `Europe/Berlin`. `migrate` writes it into "
            "`replicator.reporting`, as does the first use of an embedded database. Unset: the value there is kept (at first UTC).",
        ),
    ] = None
    replicator_cost_give_up_days: Annotated[
        int | None,
        Field(
            ge=0,
            le=3650,
            description="Days after a call's end after which a cost that has not come is no longer expected: the call is counted "
            "apart (`cost_given_up_calls`), and its day and month can be final. If the cost comes later, it counts. `migrate` "
            "writes it into `replicator.reporting`. Unset: the value there is kept (at first 30).",
        ),
    ] = None
    replicator_pseudonym_key: Annotated[
        SecretStr | None,
        Field(
            description="Secret from which `other_party_key` and `our_number_key` are made, at least 32 characters "
            "(`openssl rand -base64 32`). Keep it: another secret changes all keys. Without a secret both columns are null; the "
            "embedded database has its own secret.",
        ),
    ] = None
    replicator_pseudonym_key_file: Annotated[
        Path | None,
        Field(
            description="File that holds this secret, instead of `REPLICATOR_PSEUDONYM_KEY`. Nobody else may be able to write it."
        ),
    ] = None
    replicator_archive_suppressions: Annotated[
        Path | None,
        Field(
            description="File beside the keys with a copy of the list of erasures, as keyed hashes: after a restore of the "
            "database, the next run erases that content again. It is read if this is set, if the archive is on, or if the database has "
            "an erasure. Default: `suppressions.jsonl` in the data directory.",
        ),
    ] = None
    replicator_archive_suppression_key_file: Annotated[
        Path | None,
        Field(
            description="File with the secret of that list's keyed hashes. Needed if `REPLICATOR_PSEUDONYM_KEY` was changed since the "
            "first erasure: then the former key. Unset: the pseudonym key. Nobody else may be able to write it.",
        ),
    ] = None
    replicator_actor: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Name of the person who works with the program, for the archive's records, imports and decisions. "
            "Default: the user of the operating system.",
        ),
    ] = None
    replicator_reason: Annotated[
        str | None,
        Field(
            max_length=1000,
            description="Reason in the archive's records of reads and exports, if a command gets no `--reason`.",
        ),
    ] = None
    replicator_role_prefix: Annotated[
        str,
        Field(
            pattern="^[a-z_][a-z0-9_]{0,40}$",
            description="Prefix of the database roles that `replicator roles` makes: `_owner`, `_writer`, "
            "`_reader`, `_auditor` and `_archivist` follow. Small letters, digits and `_`.",
        ),
    ] = "truedy"
    replicator_archive: Annotated[
        str,
        Field(
            pattern="^(on|off)$",
            description="`on`: everything that is stored is sealed in the compliance archive, in the same transaction "
            "([archive.md](archive.md)), and recordings are downloaded and kept ([archive-recordings.md](archive-recordings.md)). What was stored before is sealed by `replicator archive run`.",
        ),
    ] = "off"
    replicator_archive_key_file: Annotated[
        Path | None,
        Field(
            description="File with the key (Ed25519, PEM) that signs the archive's heads. Nobody else may be able to read it. "
            "`archive anchor` makes it if it does not exist. Default: `archive-signing-key` in the data directory.",
        ),
    ] = None
    replicator_archive_anchor_to: Annotated[
        str | None,
        Field(
            description="Folder, or `s3://bucket/prefix`, into which `serve` writes the signed head of the archive. It should "
            "be out of reach of the database's owner. Without it, `serve` writes none.",
        ),
    ] = None
    replicator_archive_anchor_seconds: Annotated[
        float,
        Field(
            ge=1, le=30 * 86400, description="How often `serve` writes this head. Later records are the open window."
        ),
    ] = 3600.0
    replicator_archive_tsa: Annotated[
        str | None,
        Field(
            description="Address of a time-stamping authority (RFC 3161) that `serve` asks for a token for each head that it writes.",
        ),
    ] = None
    replicator_schemas: Annotated[
        str | None,
        Field(
            description="Other names for the replicator's schemas, if the database already has a schema with such a name: pairs such as "
            "`analytics=voice_analytics,rollup=voice_rollup`, of `analytics`, `archive`, `billing`, `replicator`, `rollup` and `truedy`. Every command "
            "needs the same value as the first `migrate`.",
        ),
    ] = None
    replicator_http_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65535,
            description="Port on which `serve` shows the report (`/`), its health (`/health`) and its metrics (`/metrics`); 0: any free port. "
            "Without it, nothing listens.",
        ),
    ] = None
    replicator_http_host: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="Address on which `serve` listens. Everybody who can reach it can read the report: there is no login.",
        ),
    ] = "127.0.0.1"
    replicator_http_names: Annotated[
        tuple[str, ...],
        Field(
            description="Names under which the page may be asked for, beside `localhost`, the loopback addresses and "
            "`REPLICATOR_HTTP_HOST`; comma separated. Behind a reverse proxy, the name that it passes on.",
        ),
    ] = ()
    replicator_http_refresh_seconds: Annotated[
        int, Field(ge=5, le=86400, description="Seconds until the live page is made again and refreshes itself.")
    ] = 60
    replicator_archive_store: Annotated[
        str,
        Field(
            description="Where recordings are kept: a folder, or `s3://bucket/prefix` (`pip install 'truedy-replicator[s3]'`; "
            "credentials and region as boto3 takes them). Default: the folder `archive` in the data directory.",
        ),
    ] = ""
    replicator_archive_allow_hosts: Annotated[
        tuple[str, ...],
        Field(
            description="Names, addresses and networks of storage that may be private or loopback, or have no TLS or another port "
            "than 443; comma separated. All other storage must be public, with TLS on port 443.",
        ),
    ] = ()
    replicator_archive_vendor_keeps_days: Annotated[
        float,
        Field(
            gt=0,
            le=36500,
            description="Days for which the vendor keeps the audio of a call; until then the download is tried.",
        ),
    ] = 14.0
    replicator_archive_downloads: Annotated[
        int, Field(ge=1, le=32, description="Recordings that are downloaded at once.")
    ] = 4
    replicator_archive_bytes_per_second: Annotated[
        int, Field(ge=0, description="Bandwidth of all downloads together. 0: no limit.")
    ] = 0
    replicator_archive_most_bytes: Annotated[int, Field(ge=1, description="A larger recording is refused.")] = (
        5 * 1024**3
    )
    replicator_archive_download_seconds: Annotated[
        float,
        Field(
            gt=0, le=86400, description="How long one attempt at a recording may take; the next attempt continues it."
        ),
    ] = 3600.0
    replicator_archive_lock_days: Annotated[
        int,
        Field(
            ge=0,
            le=36500,
            description="For a bucket with Object Lock: new recordings are locked for this number of days (mode GOVERNANCE). An erasure "
            "then needs the right to bypass the lock. 0: only the bucket's own setting.",
        ),
    ] = 0
    replicator_archive_payment_data: Annotated[
        str,
        Field(
            pattern="^(keep|mask|drop-transcript)$",
            description="With the archive on: what is done with texts in which card numbers, security codes or expiry "
            "months are found. `keep`: they are stored and sealed unchanged and masked in the views only, so people who read the "
            "tables, an export of the archive or a backup see them: PCI DSS applies to all of these, and forbids keeping "
            "security codes at all. `mask`: they are replaced by marks before the text is stored and sealed; the archive then "
            "cannot prove the masked words, and text that was masked by mistake is lost. `drop-transcript`: no "
            "text of such a transcript is stored; nothing of the conversation can be shown later. The audio is never changed: "
            "`analytics.payment_data` names the calls. Texts that are stored already are not changed. Even with `mask` and "
            "`drop-transcript`, a plain SHA-256 of the unmasked payload is stored beside the masked one (`fingerprint`), so people who "
            "read the tables can find a card number by trying all possible ones: PCI DSS still applies to the tables.",
        ),
    ] = "keep"
    replicator_log_level: Annotated[
        str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Lowest level that is logged.")
    ] = "INFO"

    @field_validator("replicator_log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @property
    def is_archived(self) -> bool:
        """Whether what is stored is sealed in the archive, too."""
        return self.replicator_archive == "on"

    @field_validator("replicator_http_names", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(word.strip().lower() for word in value.split(",") if word.strip())
        if any(not HOST_NAME.match(name) for name in names):
            raise ValueError("expected host names with commas between them, without scheme, port or path")
        return names

    @field_validator("replicator_archive_allow_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        words = tuple(word.strip() for word in value.split(",") if word.strip())
        setting_values.parse_hosts(words)
        return words

    @field_validator("replicator_details", mode="before")
    @classmethod
    def _details(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        words = tuple(word.strip() for word in value.split(",") if word.strip())
        if words == ("none",):
            return ()
        if not words or set(words) - {"transcript", "recording"}:
            raise ValueError("expected transcript, recording, both with a comma, or none")
        return words

    @field_validator("replicator_renewal")
    @classmethod
    def _renewal(cls, value: str) -> str:
        setting_values.parse_renewal(value)
        return value

    @property
    def renewal(self) -> RenewalPolicy:
        return setting_values.parse_renewal(self.replicator_renewal)
