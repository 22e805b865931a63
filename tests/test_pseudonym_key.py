"""Where the secret for pseudonyms comes from: the settings, a file that is closed to others, or the embedded database's folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator import assembly, settings
from replicator.errors import ConfigurationError
from replicator.simulator.api import KEY as API_KEY
from replicator.simulator.api import Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from replicator.store import embedded
from tests.fix_commands import run

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


@pytest.mark.slow
def test_the_status_says_why_nobody_is_named(database_url: str, tmp_path: Path) -> None:
    """After a sync without a secret `status` names the setting; after one with it, it does not, and the keys are there."""
    with running(Api(World(1, 40, switches=Switches(limit=None)))) as base_url:
        chosen = {
            "DATABASE_URL": database_url,
            "TRUEDY_API_KEY": API_KEY,
            "TRUEDY_BASE_URL": base_url,
            "TRUEDY_REQUESTS_PER_MINUTE": "0",
        }
        assert run("sync", cwd=tmp_path, **chosen).returncode == 0
        assert "REPLICATOR_PSEUDONYM_KEY" in run("status", cwd=tmp_path, **chosen).stdout
        assert run("sync", cwd=tmp_path, **chosen, REPLICATOR_PSEUDONYM_KEY=KEY).returncode == 0
        assert "REPLICATOR_PSEUDONYM_KEY" not in run("status", cwd=tmp_path, **chosen).stdout
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT count(other_party_key) > 0 FROM analytics.calls").fetchall()
    assert rows == [(True,)]
