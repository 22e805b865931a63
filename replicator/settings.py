"""The environment: every setting, its default and its meaning. The only module that reads environment variables.

Each may also stand in a file `.env` in the working directory (env_file.py); origins.py says which place counts, and each
setting remembers its own. `docs/settings.md` is generated from here (`python -m replicator.settings`), and a test compares
the two.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, field_validator

from replicator import env_file, origins, safe_text, setting_values, trusted_files
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replicator.sync.coverage.ledger import RenewalPolicy

VENDOR_URL = "https://api.truedy.ai/api/public/v1"
LEAST_KEY = 32
KEY = re.compile(r"[\x21-\x7e]{1,1000}\Z")
SECRETS = {"truedy_api_key", "database_url", "replicator_pseudonym_key"}
LIBPQ = re.compile(r"PG[A-Z]{2,}\Z")
PROXY = re.compile(r"(https?|all)_proxy\Z", re.IGNORECASE)
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z|\[[0-9a-f:.]+\]\Z")


class Settings(BaseModel):
    """All settings. Names in the environment are the field names in capitals."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, allow_inf_nan=False)

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _file: env_file.EnvFile = PrivateAttr(default_factory=env_file.EnvFile)
    _unknown: tuple[origins.Unknown, ...] = PrivateAttr(default=())

    truedy_api_key: Annotated[
        SecretStr | None,
        Field(
            description="Bearer key of the source. Several, comma separated, are several budgets of one account. "
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
            description="Base URL of the source, up to and including `/api/public/v1`. A key is sent to another one than "
            "the vendor's only where both come from the same place (the environment, or `.env`).",
        ),
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
    ] = setting_values.RENEWAL_WORDS
    replicator_details: Annotated[
        tuple[str, ...],
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
        str | None,
        Field(
            description="Time zone of the days in the reports, as `Europe/Berlin`. `migrate` writes it into "
            "`replicator.reporting`, as does the first use of an embedded database; unset, what stands there stays (UTC at first).",
        ),
    ] = None
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
        Field(
            description="File that holds it, instead of `REPLICATOR_PSEUDONYM_KEY`. Nobody else may be able to write it."
        ),
    ] = None
    replicator_role_prefix: Annotated[
        str,
        Field(
            pattern="^[a-z_][a-z0-9_]{0,40}$",
            description="What the names of the database roles begin with that `replicator roles` makes: `_owner`, `_writer`, "
            "`_reader` and `_auditor` follow. Small letters, digits and `_`.",
        ),
    ] = "truedy"
    replicator_schemas: Annotated[
        str | None,
        Field(
            description="Other names for the replicator's schemas, where the database has one of somebody else: pairs such as "
            "`analytics=voice_analytics,rollup=voice_rollup`, of `analytics`, `replicator`, `rollup` and `truedy`. Every command "
            "needs it as the first `migrate` had it.",
        ),
    ] = None
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
        setting_values.parse_renewal(value)
        return value

    @property
    def has_libpq_variables(self) -> bool:
        """Say whether libpq's own variables name a database."""
        return any(os.environ.get(name) for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"))

    @property
    def names_a_database(self) -> bool:
        """Say whether another database than the embedded one is used."""
        return self.database_url is not None or self.has_libpq_variables

    @property
    def libpq_variables(self) -> tuple[str, ...]:
        """The names of libpq's own variables that are set."""
        return tuple(sorted(name for name, value in os.environ.items() if value and LIBPQ.match(name)))

    @property
    def proxies(self) -> tuple[str, ...]:
        """The names of the variables that name a proxy. None is used: the key goes to the base URL and nowhere else."""
        return tuple(sorted(name for name, value in os.environ.items() if value and PROXY.match(name)))

    @property
    def home(self) -> str:
        """The home folder that the environment names, or nothing."""
        return os.environ.get("HOME", "")

    @property
    def renewal(self) -> RenewalPolicy:
        return setting_values.parse_renewal(self.replicator_renewal)

    def origin(self, name: str) -> str:
        """Return where the value of a field comes from."""
        return self._origins.get(name, origins.DEFAULT)

    @property
    def env_file(self) -> env_file.EnvFile:
        """The file `.env` that was read."""
        return self._file

    @property
    def unknown(self) -> tuple[origins.Unknown, ...]:
        """Names that begin like our settings, in the environment and in the file, and are none."""
        return self._unknown

    def warnings(self) -> list[str]:
        """Return what is odd about where the settings come from, one sentence each, without any value."""
        return [*map(str, self._unknown), *self._file.notes]

    def by_origin(self) -> dict[str, list[str]]:
        """Return the names of the settings that are set, by where they come from."""
        found: dict[str, list[str]] = {}
        for name in self.model_fields_set & set(self._origins):
            found.setdefault(self._origins[name], []).append(name.upper())
        return {place: sorted(found[place]) for place in origins.ORDER if place in found}

    def described(self) -> str:
        """Return the same on one line, without any value."""
        said = "; ".join(f"from {place}: {', '.join(names)}" for place, names in self.by_origin().items())
        return f"settings {said or 'are all at their defaults'}"

    def but(self, **values: Any) -> Self:
        """Return these settings with some values of the program's own."""
        copy = self.model_copy(update=values)
        copy._origins = {**self._origins, **dict.fromkeys(values, origins.PROGRAM)}  # noqa: SLF001 - of its own kind
        return copy

    @property
    def has_api_key(self) -> bool:
        """Say whether a key is set, be it right or wrong."""
        return origins.first(("truedy_api_key", "truedy_api_key_file"), self._origins) is not None

    def api_keys(self) -> list[str]:
        """Return the API keys, at least one. Raise ConfigurationError where there is none, or where they must not be sent
        to the base URL: whoever can write one place must not get the key that stands in another.
        """
        text, name = self._secret("truedy_api_key")
        keys = [key.strip() for key in text.split(",") if key.strip()]
        if not keys:
            raise ConfigurationError(
                "no API key: TRUEDY_API_KEY is not set",
                advice="set TRUEDY_API_KEY (or TRUEDY_API_KEY_FILE), or try `replicator demo`, which needs none",
            )
        for key in keys:
            if not KEY.match(key) or key[0] in "\"'" or key[-1] in "\"'":
                raise ConfigurationError(
                    f"{name.upper()} holds quotes, white space, control or non-ASCII characters: that is no API key",
                    advice="give it as copied from the vendor's dashboard; several keys have a comma between them",
                )
        mine, place = self.origin(name), self.origin("truedy_base_url")
        is_vendor = self.truedy_base_url.strip().rstrip("/") == VENDOR_URL
        if place not in {mine, origins.DEFAULT, origins.PROGRAM} and not is_vendor:
            raise ConfigurationError(
                f"{name.upper()} comes from {mine}, and TRUEDY_BASE_URL from {place}: a key is sent only to a base URL that "
                "comes from the same place, or to the vendor's",
                advice=f"set TRUEDY_BASE_URL in {mine} too, or the key in {place}; without TRUEDY_BASE_URL the vendor's is used",
            )
        safe_text.hide(*keys)
        return list(dict.fromkeys(keys))

    def pseudonym_key(self) -> bytes | None:
        """Return the secret for pseudonyms, or None where there is none; raise ConfigurationError where it is no good."""
        text, name = self._secret("replicator_pseudonym_key")
        if not name:
            return None
        key = text.strip().encode()
        if len(key) < LEAST_KEY:
            raise ConfigurationError(
                f"{name.upper()} holds less than {LEAST_KEY} characters",
                advice="make one with: openssl rand -base64 32",
            )
        safe_text.hide(text.strip())
        return key

    def _secret(self, field: str) -> tuple[str, str]:
        """Return a secret and the field that gave it, itself or as a file; both are empty where neither is set."""
        name = origins.first((field, f"{field}_file"), self._origins)
        if name is None:
            return "", ""
        value = getattr(self, name)
        return (value.get_secret_value() if name == field else trusted_files.secret(name.upper(), value)), name


def load(**overrides: Any) -> Settings:
    """Read the environment and `.env`; raise ConfigurationError naming each wrong setting and what was expected."""
    known = {name.upper() for name in Settings.model_fields}
    settings, problem = _made(env_file.read(lambda name: name in known or name.startswith(origins.PREFIXES)), overrides)
    if problem is not None:
        raise problem
    return settings


def inspect() -> tuple[Settings, list[ConfigurationError]]:
    """Read as much as can be read, with defaults for the rest, and return what is wrong: for `doctor`."""
    known = {name.upper() for name in Settings.model_fields}
    file, problems = env_file.EnvFile(), []
    try:
        file = env_file.read(lambda name: name in known or name.startswith(origins.PREFIXES))
    except ConfigurationError as error:
        problems.append(error)
    settings, problem = _made(file, {})
    return settings, [*problems, *([problem] if problem else [])]


def _made(file: env_file.EnvFile, overrides: Mapping[str, Any]) -> tuple[Settings, ConfigurationError | None]:
    """Return the settings, without those that are wrong, and what to say of these."""
    known = {name.upper() for name in Settings.model_fields}
    # Names in small letters are taken too; the usual spelling beats them.
    given = {name.upper(): os.environ[name] for name in sorted(os.environ, reverse=True)}
    values, places = origins.merged(
        {
            origins.PROGRAM: overrides,
            origins.ENVIRONMENT: {
                name.lower(): setting_values.as_meant(name, given[name]) for name in known & set(given)
            },
            origins.FILE: {
                name.lower(): setting_values.as_meant(name, value)
                for name, value in file.values.items()
                if name in known
            },
        }
    )
    secrets = {name: value for name, value in values.items() if isinstance(value, str) and name in SECRETS}
    safe_text.hide(given.get("PGPASSWORD", ""), *setting_values.parts_of(secrets))
    wrong = dict(setting_values.unreadable(values))
    trimmed = {name: setting_values.trimmed(name, value) for name, value in values.items()}
    try:
        made = Settings.model_validate({name: value for name, value in trimmed.items() if name not in wrong})
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            wrong.setdefault(str(one["loc"][0]) if one["loc"] else "settings", setting_values.expected(one))
        made = Settings.model_validate({name: value for name, value in trimmed.items() if name not in wrong})
    made._origins, made._file = {name: place for name, place in places.items() if name not in wrong}, file  # noqa: SLF001 - made here
    made._unknown = (  # noqa: SLF001
        *origins.unknown(given, origins.ENVIRONMENT, known),
        *origins.unknown(file.values, origins.FILE, known),
    )
    if not wrong:
        return made, None
    said = "; ".join(
        f"{name.upper()}{' in .env' if places.get(name) == origins.FILE else ''}: {why}" for name, why in wrong.items()
    )
    return made, ConfigurationError(
        f"a setting is wrong. {said}", advice="correct it in the environment or in .env; docs/settings.md lists all"
    )


def document() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Environment variables; a file `.env` in the working directory may carry the same names. The environment beats the",
        "file, and the file beats the default; an empty value counts as not set. `NAME` beats `NAME_FILE` in the same place.",
        "A wrong value is named with what was expected, and a secret is never printed. `replicator doctor` says where each",
        "setting comes from. Which files are believed: [operations.md](operations.md#settings-and-secrets).",
        "Generated by `python -m replicator.settings`.",
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
