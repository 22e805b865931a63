"""Reads the values of the settings, and records where each comes from. Only this module reads environment variables.

Each setting may also be in a file `.env` in the working directory (env_file.py). origins.py says which place wins, and
each setting keeps its origin. setting_fields.py defines the settings.
"""

from __future__ import annotations

import getpass
import os
import re
from typing import TYPE_CHECKING, Any, Self

from pydantic import PrivateAttr, ValidationError

from replicator import env_file, origins, safe_text, setting_values, trusted_files
from replicator.errors import ConfigurationError
from replicator.setting_fields import VENDOR_URL, SettingFields

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_KEY = 32
KEY = re.compile(r"[\x21-\x7e]{1,1000}\Z")
SECRETS = {"truedy_api_key", "database_url", "replicator_pseudonym_key"}
LIBPQ = re.compile(r"PG[A-Z]{2,}\Z")
PROXY = re.compile(r"(https?|all)_proxy\Z", re.IGNORECASE)


class Settings(SettingFields):
    """All settings with their values, and the origin of each."""

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _file: env_file.EnvFile = PrivateAttr(default_factory=env_file.EnvFile)
    _unknown: tuple[origins.Unknown, ...] = PrivateAttr(default=())

    @property
    def has_libpq_variables(self) -> bool:
        """Say whether libpq's own variables name a database."""
        return any(os.environ.get(name) for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"))

    @property
    def actor(self) -> str:
        """Who works with the program: as REPLICATOR_ACTOR says, or the user of the operating system."""
        if self.replicator_actor and self.replicator_actor.strip():
            return self.replicator_actor.strip()
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a user without a name, as in some containers
            return f"user {os.getuid()}"

    @property
    def names_a_database(self) -> bool:
        """Say whether a database other than the embedded one is used."""
        return self.database_url is not None or self.has_libpq_variables

    @property
    def libpq_variables(self) -> tuple[str, ...]:
        """The names of libpq's own variables that are set."""
        return tuple(sorted(name for name, value in os.environ.items() if value and LIBPQ.match(name)))

    @property
    def proxies(self) -> tuple[str, ...]:
        """The names of set variables that name a proxy. No proxy is used: the key is sent to the base URL only."""
        return tuple(sorted(name for name, value in os.environ.items() if value and PROXY.match(name)))

    @property
    def home(self) -> str:
        """The home folder in the environment, or an empty string."""
        return os.environ.get("HOME", "")

    def origin(self, name: str) -> str:
        """Return where the value of a field comes from."""
        return self._origins.get(name, origins.DEFAULT)

    @property
    def env_file(self) -> env_file.EnvFile:
        """The file `.env` that was read."""
        return self._file

    @property
    def unknown(self) -> tuple[origins.Unknown, ...]:
        """Names in the environment and the file that begin like our settings and are none."""
        return self._unknown

    def warnings(self) -> list[str]:
        """Return warnings about where the settings come from, one sentence each, without any value."""
        return [*map(str, self._unknown), *self._file.notes]

    def by_origin(self) -> dict[str, list[str]]:
        """Return the names of the settings that are set, by where they come from."""
        found: dict[str, list[str]] = {}
        for name in self.model_fields_set & set(self._origins):
            found.setdefault(self._origins[name], []).append(name.upper())
        return {place: sorted(found[place]) for place in origins.ORDER if place in found}

    def described(self) -> str:
        """Return the settings by origin on one line, without any value."""
        said = "; ".join(f"from {place}: {', '.join(names)}" for place, names in self.by_origin().items())
        return f"settings {said or 'are all at their defaults'}"

    def but(self, **values: Any) -> Self:
        """Return a copy of these settings, with some values given by the program."""
        copy = self.model_copy(update=values)
        copy._origins = {**self._origins, **dict.fromkeys(values, origins.PROGRAM)}  # noqa: SLF001 - of its own kind
        return copy

    @property
    def has_api_key(self) -> bool:
        """Say whether a key is set, valid or not."""
        return origins.first(("truedy_api_key", "truedy_api_key_file"), self._origins) is not None

    def api_keys(self) -> list[str]:
        """Return the API keys, at least one.

        Raises ConfigurationError where there is none, or where they must not be sent to the base URL: a user who can
        write one place of settings must not get a key that comes from another.
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
        """Return the secret for pseudonyms, or None where there is none. Raises ConfigurationError where it is not
        usable.
        """
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

    def suppression_key(self) -> bytes | None:
        """Return the secret for the list of what was erased where it is not the pseudonym key; None where it is."""
        if self.replicator_archive_suppression_key_file is None:
            return None
        text = trusted_files.secret(
            "REPLICATOR_ARCHIVE_SUPPRESSION_KEY_FILE", self.replicator_archive_suppression_key_file
        )
        safe_text.hide(text.strip())
        return text.strip().encode()

    def _secret(self, field: str) -> tuple[str, str]:
        """Return a secret and the field that gave it, directly or by a file; both are empty where neither is set."""
        name = origins.first((field, f"{field}_file"), self._origins)
        if name is None:
            return "", ""
        value = getattr(self, name)
        return (value.get_secret_value() if name == field else trusted_files.secret(name.upper(), value)), name


def load(**overrides: Any) -> Settings:
    """Read the environment and `.env`. Raises ConfigurationError with each wrong setting and what was expected."""
    known = {name.upper() for name in Settings.model_fields}
    settings, problem = _made(env_file.read(lambda name: name in known or name.startswith(origins.PREFIXES)), overrides)
    if problem is not None:
        raise problem
    return settings


def inspect() -> tuple[Settings, list[ConfigurationError]]:
    """Read as many settings as possible, with defaults for the rest; also return the errors. For `doctor`."""
    known = {name.upper() for name in Settings.model_fields}
    file, problems = env_file.EnvFile(), []
    try:
        file = env_file.read(lambda name: name in known or name.startswith(origins.PREFIXES))
    except ConfigurationError as error:
        problems.append(error)
    settings, problem = _made(file, {})
    return settings, [*problems, *([problem] if problem else [])]


def _made(file: env_file.EnvFile, overrides: Mapping[str, Any]) -> tuple[Settings, ConfigurationError | None]:
    """Return the valid settings, and an error about the others."""
    known = {name.upper() for name in Settings.model_fields}
    # Names in small letters are accepted too; names in capitals win over them.
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
