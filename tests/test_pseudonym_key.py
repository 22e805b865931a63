"""Where the secret for pseudonyms comes from: the settings, a file that is closed to others, or the embedded database's folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from replicator import assembly, settings
from replicator.errors import ConfigurationError
from replicator.store import embedded

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a secret that is made of more than thirty-two characters"
ELSEWHERE = {"database_url": "postgresql://somewhere/else"}


def test_the_key_comes_from_the_settings_or_a_closed_file(tmp_path: Path) -> None:
    """Both give the same pseudonyms, a line end at the end of the file aside; without either there are none."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    file.chmod(0o600)
    given = assembly.pseudonyms(settings.load(replicator_pseudonym_key=KEY, **ELSEWHERE))
    assert given is not None
    assert assembly.pseudonyms(settings.load(replicator_pseudonym_key_file=file, **ELSEWHERE)) == given
    assert assembly.pseudonyms(settings.load(**ELSEWHERE)) is None
    assert KEY not in repr(settings.load(replicator_pseudonym_key=KEY))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
def test_a_file_that_is_open_to_everybody_is_refused(tmp_path: Path, mode: int) -> None:
    """A secret that every user of the machine can read or replace is none."""
    file = tmp_path / "key"
    file.write_text(KEY, encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="everybody") as failure:
        settings.load(replicator_pseudonym_key_file=file).pseudonym_key()
    assert KEY not in failure.value.explain()


def test_a_key_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    """Less than 32 characters are refused, and a file that is not there is named."""
    with pytest.raises(ConfigurationError, match="less than 32"):
        settings.load(replicator_pseudonym_key="  secret" + " " * 40).pseudonym_key()
    with pytest.raises(ConfigurationError, match="REPLICATOR_PSEUDONYM_KEY_FILE cannot be read"):
        settings.load(replicator_pseudonym_key_file=tmp_path / "nothing").pseudonym_key()


def test_the_embedded_database_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Made once, at random, for its owner only; those who come at the same time use the same, and nothing else is left."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: embedded.kept_secret(tmp_path, "pseudonym-key"), range(32)))
    assert len(found) == 1
    assert len(found.pop()) >= settings.LEAST_KEY
    assert [path.name for path in tmp_path.iterdir()] == ["pseudonym-key"]
    assert (tmp_path / "pseudonym-key").stat().st_mode & 0o777 == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert embedded.kept_secret(other, "pseudonym-key") != embedded.kept_secret(tmp_path, "pseudonym-key")
