"""The command `archive export`, run as a user runs it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import typer

from replicator.archive.heads import signing
from replicator.archive.production import verify_file
from replicator.cli import archive_export
from replicator.errors import ConfigurationError
from replicator.simulator.switches import Switches
from tests.archive import fix_bags
from tests.fix_commands import run
from tests.sync.fix_source import Setting, source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store.database import Database


@pytest.fixture
def there(database: Database) -> Iterator[Setting]:
    with source(database, calls=12, switches=Switches(limit=None)) as found:
        found.sync(seals=True)
        yield found


@pytest.mark.slow
def test_from_the_command_to_the_receiver(there: Setting, database_url: str, tmp_path: Path) -> None:
    """An operator exports with a reason; a receiver who has nothing but the folder and the public key verifies it."""
    signer = signing.load(tmp_path / "data" / "archive-signing-key")
    settings = {"DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(tmp_path / "data"), "REPLICATOR_ACTOR": "Anna"}
    assert run("archive", "anchor", "--to", "heads", cwd=tmp_path, **settings).returncode == 0
    done = run("archive", "export", "bag", "--reason", "case 7", "--json", cwd=tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["calls"], facts["is_signed"], facts["not_as_sealed"]) == (12, True, [])
    shutil.move(tmp_path / "bag", tmp_path / "received")
    seen = fix_bags.run(tmp_path / "received", "--key", signer.public_key)
    assert seen.returncode == 0, seen.stdout
    assert "signed when it was made" in seen.stdout
    custody = json.loads((tmp_path / "received" / "custody.json").read_text())
    assert (custody["by"], custody["reason"], custody["query"], custody["calls"]) == ("Anna", "case 7", {}, 12)
    assert json.loads(done.stdout)["sequence"] == there.value("SELECT max(sequence) FROM archive.records")


@pytest.mark.slow
def test_what_is_not_there_ends_with_1(there: Setting, database_url: str, tmp_path: Path) -> None:
    """A call that the archive does not know is named, and the bag holds the rest; a number that nobody has is an answer."""
    one = there.value("SELECT id FROM truedy.calls LIMIT 1")
    settings = {"DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(tmp_path / "data")}
    unknown = "00000000-0000-4000-8000-000000000001"
    done = run("archive", "export", "some", "--call", str(one), "--call", unknown, cwd=tmp_path, **settings)
    assert done.returncode == 1
    assert f"not in the archive: {unknown}" in done.stderr
    assert "not signed" in done.stdout
    assert verify_file.verify(str(tmp_path / "some"))[0] == []
    none = run("archive", "export", "none", "--number", "+1", cwd=tmp_path, **settings)
    assert none.returncode == 0
    assert "no call matches" in none.stdout
    assert "no stored call is from or to the number that you gave" in none.stderr
    again = run("archive", "export", "none", cwd=tmp_path, **settings)
    assert again.returncode == 2
    assert "not an empty folder" in again.stderr


@pytest.mark.slow
def test_a_hold_is_produced(there: Setting, database_url: str, tmp_path: Path) -> None:
    """What a hold covers is what is exported; a hold that does not exist is refused before anything is written."""
    ids = [str(row[0]) for row in there.rows("SELECT id FROM truedy.calls ORDER BY id LIMIT 2")]
    settings = {"DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(tmp_path / "data")}
    placed = run(
        *("archive", "hold", "add", "case-7", "--call", ids[0], "--call", ids[1], "--reason", "a letter"),
        cwd=tmp_path,
        **settings,
    )
    assert placed.returncode == 0, placed.stderr
    done = run("archive", "export", "bag", "--hold", "case-7", "--json", cwd=tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "bag" / "data" / "calls").iterdir()) == ids
    assert json.loads((tmp_path / "bag" / "custody.json").read_text())["query"] == {"hold": "case-7"}
    refused = run("archive", "export", "other", "--hold", "case-8", cwd=tmp_path, **settings)
    assert refused.returncode == 2
    assert not (tmp_path / "other").exists()


@pytest.mark.pure
def test_numbers_are_compared_by_their_digits() -> None:
    for text in ("+49 (30) 90-18 20", "0049 30 901820", "011 49 30 901820", "4930901820"):
        assert archive_export.digits(text) == "4930901820"
    for wrong in ("", "abc", "00"):
        with pytest.raises(typer.BadParameter):
            archive_export.digits(wrong)


@pytest.mark.pure
@pytest.mark.parametrize("number", ["+1 702 555 0197", "7025550197", "(702) 555-0197"])
def test_a_reason_does_not_hold_the_number(number: str) -> None:
    """However it is written on the command line."""
    with pytest.raises(ConfigurationError):
        archive_export.why("about 702 555 0197", [number])
    assert archive_export.why("about case 7", [number, "98761"]) == "about case 7"


@pytest.mark.slow
def test_no_number_is_sealed(there: Setting, database_url: str, tmp_path: Path) -> None:
    """No erasure reaches what was sealed of an export: it has a keyed hash, or a count; the bag says what was asked for."""
    number = there.value("SELECT phone_number FROM truedy.calls WHERE phone_number LIKE '+%' LIMIT 1")
    settings = {"DATABASE_URL": database_url, "REPLICATOR_DATA_DIR": str(tmp_path / "data")}
    with_key = settings | {"REPLICATOR_PSEUDONYM_KEY": "a secret of more than thirty-two characters, for tests"}
    last = "SELECT convert_from(bytes, 'UTF8')::jsonb -> 'query' FROM archive.records WHERE kind = 'export' ORDER BY sequence DESC LIMIT 1"
    refused = run("archive", "export", "a", "--number", number, "--reason", f"about {number}", cwd=tmp_path, **settings)
    assert refused.returncode == 2
    assert run("archive", "export", "b", "--number", number, cwd=tmp_path, **settings).returncode == 0
    assert there.value(last) == {"numbers": 1}
    assert run("archive", "export", "c", "--number", number, cwd=tmp_path, **with_key).returncode == 0
    assert list(there.value(last)) == ["number_keys"]
    assert json.loads((tmp_path / "c" / "custody.json").read_text())["query"] == {"numbers": [number]}
    sealed = (
        "SELECT count(*) FROM archive.records WHERE kind = 'export' AND strpos(convert_from(bytes, 'UTF8'), '{}') > 0"
    )
    assert there.value(sealed.format(number.lstrip("+"))) == 0
