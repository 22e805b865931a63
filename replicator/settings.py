"""The environment: every setting, its default and its meaning. The only module that reads environment variables.

Each may also stand in a file `.env` in the working directory. `docs/settings.md` is generated from here
(`python -m replicator.settings`), and a test compares the two.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from replicator.errors import ConfigurationError
from replicator.sync.ledger import DEFAULT_POLICY, RenewalPolicy, RenewalRule

VENDOR_URL = "https://api.truedy.ai/api/public/v1"
RENEWAL_WORDS = "6h:10m, 24h:1h, 7d:1d, 30d:7d, 365d:30d, older:90d"
LEAST_KEY = 32
OTHERS = 0o007
"""The rights in a file's mode of those who neither own it nor are of its group."""
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z|\[[0-9a-f:.]+\]\Z")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Settings(BaseSettings):
    """All settings. Names in the environment are the field names in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    truedy_api_key: Annotated[
        SecretStr | None,
        Field(
            description="Bearer key of the source. Several, comma separated, are several budgets of one account. "
            "Required by every command that talks to the source.",
        ),
    ] = None
    truedy_api_key_file: Annotated[
        Path | None, Field(description="File that holds the key, instead of `TRUEDY_API_KEY`.")
    ] = None
    truedy_base_url: Annotated[
        str, Field(description="Base URL of the source, up to and including `/api/public/v1`.")
    ] = VENDOR_URL
    truedy_requests_per_minute: Annotated[
        int,
        Field(
            ge=0,
            description="Requests that the source allows per key and window, before what its refusals teach. "
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
        Field(gt=0, description="Deadline of one scheduled sync of `serve`; what is left goes into the next one."),
    ] = 3600.0
    replicator_hang_seconds: Annotated[
        float,
        Field(
            ge=1,
            description="How long `serve` may show no sign of life before it ends itself with code 1, so that its "
            "supervisor starts it again. A lock is waited for up to 30 s without one.",
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
    ] = RENEWAL_WORDS
    replicator_details: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="What is fetched beside the calls: `transcript`, `recording`, both, or `none`."),
    ] = ("transcript", "recording")
    replicator_give_up_days: Annotated[
        float,
        Field(gt=0, le=3650, description="Age of a call's end after which a missing transcript or recording is final."),
    ] = 7.0
    replicator_confirm_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=30 * 86400,
            description="How far apart the two answers lie that confirm a deletion at the source.",
        ),
    ] = 600.0
    replicator_reporting_time_zone: Annotated[
        str, Field(description="Time zone of the days in the reports, as `Europe/Berlin`. Applied by `migrate`.")
    ] = "UTC"
    replicator_pseudonym_key: Annotated[
        SecretStr | None,
        Field(
            description="Secret from which `other_party_key` and `our_number_key` are made, at least 32 characters "
            "(`openssl rand -base64 32`). Keep it: another one changes all keys. Without it both columns are null; the "
            "embedded database has one of its own.",
        ),
    ] = None
    replicator_pseudonym_key_file: Annotated[
        Path | None,
        Field(description="File that holds it, instead of `REPLICATOR_PSEUDONYM_KEY`; closed to others (`chmod 600`)."),
    ] = None
    replicator_role_prefix: Annotated[
        str,
        Field(
            pattern="^[a-z_][a-z0-9_]{0,40}$",
            description="What the names of the database roles begin with that `replicator roles` makes: `_owner`, `_writer`, "
            "`_reader` and `_auditor` follow. Small letters, digits and `_`.",
        ),
    ] = "truedy"
    replicator_http_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65535,
            description="Port on which `serve` shows the report (`/`) and its health (`/health`); 0 is any free one. "
            "Without it, nothing listens.",
        ),
    ] = None
    replicator_http_host: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            description="Address on which it listens. Whoever can reach it can read the report: there is no login.",
        ),
    ] = "127.0.0.1"
    replicator_http_names: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(
            description="Names under which the page may be asked for, beside `localhost`, the loopback addresses and "
            "`REPLICATOR_HTTP_HOST`; comma separated. Behind a reverse proxy, the name that it passes on.",
        ),
    ] = ()
    replicator_http_refresh_seconds: Annotated[
        int, Field(ge=5, le=86400, description="How often the live page is made anew, and refreshes itself.")
    ] = 60
    replicator_log_level: Annotated[
        str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that `serve` logs.")
    ] = "INFO"

    @field_validator("replicator_log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("replicator_http_names", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(word.strip().lower() for word in value.split(",") if word.strip())
        if any(not HOST_NAME.match(name) for name in names):
            raise ValueError("expected host names with commas between them, without scheme, port or path")
        return names

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
        parse_renewal(value)
        return value

    @property
    def has_libpq_variables(self) -> bool:
        """Say whether libpq's own variables name a database."""
        return any(os.environ.get(name) for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"))

    @property
    def renewal(self) -> RenewalPolicy:
        return parse_renewal(self.replicator_renewal)

    def api_keys(self) -> list[str]:
        """Return the API keys, at least one; raise ConfigurationError where there is none."""
        text = ""
        if self.truedy_api_key is not None:
            text = self.truedy_api_key.get_secret_value()
        elif self.truedy_api_key_file is not None:
            text = _text_of("TRUEDY_API_KEY_FILE", self.truedy_api_key_file)
        keys = [key.strip() for key in text.split(",") if key.strip()]
        if not keys:
            raise ConfigurationError(
                "no API key: TRUEDY_API_KEY is not set",
                advice="set TRUEDY_API_KEY (or TRUEDY_API_KEY_FILE), or try `replicator demo`, which needs none",
            )
        return list(dict.fromkeys(keys))

    def pseudonym_key(self) -> bytes | None:
        """Return the secret for pseudonyms, or None where there is none; raise ConfigurationError where it is no good."""
        name, path = "REPLICATOR_PSEUDONYM_KEY", self.replicator_pseudonym_key_file
        if self.replicator_pseudonym_key is not None:
            text = self.replicator_pseudonym_key.get_secret_value()
        elif path is not None:
            name = "REPLICATOR_PSEUDONYM_KEY_FILE"
            text = _text_of(name, path)
            if path.stat().st_mode & OTHERS:
                raise ConfigurationError(f"{name} can be read by everybody", advice="close it to others: chmod 600")
        else:
            return None
        key = text.strip().encode()
        if len(key) < LEAST_KEY:
            raise ConfigurationError(
                f"{name} holds less than {LEAST_KEY} characters", advice="make one with: openssl rand -base64 32"
            )
        return key


def _text_of(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{name} cannot be read: {type(error).__name__}",
            advice="expected a text file with the key in it, readable by this user",
        ) from None


def parse_renewal(text: str) -> RenewalPolicy:
    """Read a renewal policy such as `6h:10m, 7d:1d, older:90d`; raise ValueError where it is none."""
    rules = []
    words = [word.strip() for word in text.split(",") if word.strip()]
    for number, word in enumerate(words):
        age, _, every = word.partition(":")
        is_last = number == len(words) - 1
        if (age.strip() == "older") is not is_last:
            raise ValueError("the last pair, and only the last, has the age `older`")
        rules.append(RenewalRule(timedelta.max if is_last else _duration(age), _duration(every)))
    ages = [rule.age for rule in rules]
    if not rules or ages != sorted(set(ages)):
        raise ValueError("expected pairs age:period by rising age, such as 6h:10m, 7d:1d, older:90d")
    policy = RenewalPolicy(tuple(rules))
    return DEFAULT_POLICY if text == RENEWAL_WORDS else policy


def _duration(text: str) -> timedelta:
    text = text.strip()
    try:
        duration = timedelta(seconds=float(text[:-1]) * UNITS[text[-1]])
    except (KeyError, IndexError, ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a duration such as 10m, 6h or 7d") from None
    if duration <= timedelta(0):
        raise ValueError(f"{text!r} is not a duration above zero")
    return duration


def load(**overrides: Any) -> Settings:
    """Read the environment; raise ConfigurationError naming each wrong setting and what was expected."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        wrong = "; ".join(
            f"{str(one['loc'][0]).upper() if one['loc'] else 'settings'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise ConfigurationError(
            f"a setting is wrong. {wrong}",
            advice="correct it in the environment or in .env; docs/settings.md lists all",
        ) from None


def document() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Environment variables; a file `.env` in the working directory may carry the same names. A wrong value is named",
        "with what was expected, and a secret is never printed. Generated by `python -m replicator.settings`.",
        "",
        "| name | meaning | default |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(default)
        shown = "" if default in {None, ""} else f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
        lines.append(f"| `{name.upper()}` | {field.description} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201 - this is how the page is made
