"""The file `.env`: believed only where nobody else could have written it, in whatever encoding, and never a traceback."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from replicator import origins, settings
from replicator.errors import ConfigurationError
from tests.test_settings_secret_files import is_root, somebody_else

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ELSEWHERE = "http://127.0.0.1:1/api/public/v1"
KEY = "truedy_of_the_environment"


@pytest.fixture
def folder(reachable_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which other accounts may look into."""
    made = reachable_folder / f"env-{tmp_path.name}"
    made.mkdir(mode=0o755)
    monkeypatch.chdir(made)
    return made


def env(folder: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def refused() -> str:
    with pytest.raises(ConfigurationError) as failure:
        settings.load()
    assert failure.value.exit_code == 2
    return failure.value.explain()


def test_each_setting_knows_its_origin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment beats the file, the file the default, and what is empty was not set."""
    env(folder, "REPLICATOR_WORKERS=3\nREPLICATOR_POLL_SECONDS=7\nREPLICATOR_ACCOUNT=\n")
    monkeypatch.setenv("REPLICATOR_WORKERS", "2")
    monkeypatch.setenv("REPLICATOR_POLL_SECONDS", "")
    made = settings.load()
    assert (made.replicator_workers, made.origin("replicator_workers")) == (2, origins.ENVIRONMENT)
    assert (made.replicator_poll_seconds, made.origin("replicator_poll_seconds")) == (7, origins.FILE)
    assert (made.replicator_account, made.origin("replicator_account")) == ("default", origins.DEFAULT)
    assert made.described() == (
        "settings from the environment: REPLICATOR_WORKERS; from the file .env: REPLICATOR_POLL_SECONDS"
    )


def test_a_file_that_others_may_write_is_refused_and_named(folder: Path) -> None:
    """Its group's and everybody's right to write count, and so does a folder in which it could be replaced."""
    for mode in (0o666, 0o620, 0o602):
        path = env(folder, f"TRUEDY_BASE_URL={ELSEWHERE}", mode)
        said = refused()
        assert str(path) in said
        assert ELSEWHERE not in said
    env(folder, "REPLICATOR_WORKERS=3", 0o644)
    assert settings.load().replicator_workers == 3
    folder.chmod(0o777)
    assert str(folder) in refused()
    folder.chmod(0o1777)
    assert settings.load().replicator_workers == 3


@is_root
def test_a_file_of_somebody_else_is_refused_and_named(folder: Path) -> None:
    """Root takes no user's file, a user not another's; root's is taken by everybody. Nothing of it is believed by half."""
    path = env(folder, f"TRUEDY_BASE_URL={ELSEWHERE}\nDATABASE_URL=postgresql://127.0.0.1:1/theirs\n", 0o644)
    with somebody_else() as nobody:
        assert settings.load().truedy_base_url == ELSEWHERE
    os.chown(path, nobody, -1)
    said = refused()
    assert str(path) in said
    assert "nobody" in said
    assert "127.0.0.1" not in said
    with somebody_else():
        assert settings.load().truedy_base_url == ELSEWHERE
    os.chown(path, 0, -1)
    os.chown(folder, nobody, -1)
    assert "the folder" in refused()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (os.mkfifo, "a FIFO"),
        (lambda path: path.symlink_to("nothing"), "leads nowhere"),
        (lambda path: path.symlink_to(".env"), ".env"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.write_bytes(b"REPLICATOR_WORKERS=3\n#caf\xe9"), "line 2"),
        (lambda path: path.write_bytes(b"REPLICATOR_WORKERS=3\0"), "NUL"),
        (lambda path: path.write_bytes("REPLICATOR_WORKERS=3".encode("utf-16-le")), "NUL"),
        (lambda path: path.write_bytes(b"#" * 1_100_000), "larger"),
    ],
    ids=["FIFO", "dangling link", "loop", "device", "Latin-1", "NUL", "UTF-16 without a mark", "huge"],
)
def test_what_cannot_be_read_is_named(folder: Path, make: Callable[[Path], object], says: str) -> None:
    """Every such file ends with a message that names it; none holds the command up or is skipped in silence."""
    make(folder / ".env")
    said = refused()
    assert says in said
    assert str(folder / ".env") in said


@is_root
def test_a_file_without_the_right_to_read(folder: Path) -> None:
    """The user's settings would be missing without a word: it is an error."""
    env(folder, "REPLICATOR_WORKERS=3", 0o600)
    with somebody_else():
        assert "permission denied" in refused()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_that_can_be_told_is_read(folder: Path, encoding: str, end: str) -> None:
    """UTF-8 with and without a mark, UTF-16 as PowerShell writes it, with any line ends, comments and quotes."""
    lines = [
        "# größe",
        "export REPLICATOR_WORKERS=3",
        "REPLICATOR_ACCOUNT='Zürich, # 1'",
        'TRUEDY_API_KEY="truedy_x"  # mine',
        "",
    ]
    env(folder, end.join(lines).encode(encoding))
    made = settings.load()
    assert (made.replicator_workers, made.replicator_account) == (3, "Zürich, # 1")
    assert made.api_keys() == ["truedy_x"]


def test_a_folder_of_that_name_is_passed_over(folder: Path) -> None:
    """Virtual environments are called .env, too."""
    (folder / ".env").mkdir()
    assert settings.load().replicator_workers == 8
    (folder / ".env").rmdir()
    (folder / "venv").mkdir()
    (folder / ".env").symlink_to("venv")
    assert settings.load().replicator_workers == 8


def test_a_working_directory_that_is_gone(folder: Path) -> None:
    """Nothing is read from it, and nothing fails by it."""
    shutil.rmtree(folder)
    assert settings.load().replicator_workers == 8


@is_root
def test_a_working_directory_that_cannot_be_looked_into(folder: Path) -> None:
    """What a user may not look into holds no settings for this user: `sudo -u` from a private folder works."""
    env(folder, "REPLICATOR_WORKERS=3")
    folder.chmod(0o700)
    with somebody_else():
        assert settings.load().replicator_workers == 8


def test_what_is_odd_is_said(folder: Path) -> None:
    """Names that stand twice, are no settings, have no value, and lines that cannot be read; without any value."""
    env(
        folder,
        "REPLICATOR_WORKERS=3\nREPLICATOR_WORKERS=4\nREPLICATOR_POL_SECONDS=5\nOTHERS=1\nTRUEDY_API_KEY\n\n"
        "DATABASE_URL=postgresql://u:${PASSWORD}@h/d\nif [ 1 ]; then\n",
    )
    made = settings.load()
    said = "\n".join(made.warnings())
    assert made.replicator_workers == 4
    assert "REPLICATOR_WORKERS stands more than once" in said
    assert "unknown setting REPLICATOR_POL_SECONDS in the file .env; did you mean REPLICATOR_POLL_SECONDS?" in said
    assert "TRUEDY_API_KEY in" in said
    assert "DATABASE_URL in" in said
    assert "line 8 of" in said
    assert "OTHERS" not in said
    assert "PASSWORD" not in said
    assert made.database_url is not None
    assert made.database_url.get_secret_value() == "postgresql://u:${PASSWORD}@h/d"


KEYS = {"TRUEDY_API_KEY": KEY}
URLS = {"TRUEDY_BASE_URL": ELSEWHERE}


@pytest.mark.parametrize(
    ("in_environment", "in_file", "is_sent"),
    [
        (KEYS, URLS, False),
        (URLS, KEYS, False),
        ({"TRUEDY_API_KEY_FILE": "key"}, URLS, False),
        (URLS, {"TRUEDY_API_KEY_FILE": "key"}, False),
        ({**KEYS, **URLS}, {}, True),
        ({}, {**KEYS, **URLS}, True),
        ({}, {"TRUEDY_API_KEY_FILE": "key", **URLS}, True),
        (KEYS, {}, True),
        ({}, KEYS, True),
        (KEYS, {"TRUEDY_BASE_URL": settings.VENDOR_URL}, True),
        ({"TRUEDY_BASE_URL": f"{settings.VENDOR_URL}/"}, KEYS, True),
        ({**KEYS, **URLS}, {"TRUEDY_BASE_URL": "http://127.0.0.1:2/api"}, True),
        (KEYS, {"TRUEDY_BASE_URL": "https://api.truedy.ai.example.net/api/public/v1"}, False),
        (KEYS, {"TRUEDY_BASE_URL": "http://api.truedy.ai/api/public/v1"}, False),
        # The key of the earlier place counts, and with it its own base URL.
        ({"TRUEDY_API_KEY_FILE": "key"}, {"TRUEDY_API_KEY": "truedy_of_the_file", **URLS}, False),
    ],
)
def test_a_key_goes_only_where_its_own_place_says(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_environment: dict[str, str],
    in_file: dict[str, str],
    is_sent: bool,
) -> None:
    """A key of one place and a base URL of another do not go together, unless it is the vendor's."""
    (folder / "key").write_text(KEY, encoding="utf-8")
    env(folder, "".join(f"{name}={value}\n" for name, value in in_file.items()))
    for name, value in in_environment.items():
        monkeypatch.setenv(name, value)
    made = settings.load()
    if is_sent:
        assert made.api_keys() == [KEY]
        return
    with pytest.raises(ConfigurationError, match="comes from the") as failure:
        made.api_keys()
    assert "TRUEDY_BASE_URL" in failure.value.message
    assert KEY not in failure.value.explain()


@pytest.mark.parametrize(
    ("name", "value", "is_said"),
    [
        ("REPLICATOR_POL_SECONDS", "5", "did you mean REPLICATOR_POLL_SECONDS?"),
        ("TRUEDY_APIKEY", "x", "did you mean TRUEDY_API_KEY?"),
        ("REPLICATOR_SOMETHING_ELSE_ALTOGETHER", "x", "docs/settings.md"),
        ("REPLICATOR_PORT", "tcp://10.0.0.1:80", ""),
        ("REPLICATOR_PORT_80_TCP_ADDR", "10.0.0.1", ""),
        ("REPLICATOR_SERVICE_HOST", "10.0.0.1", ""),
        ("REPLICATOR_HTTP_PRT", "80", "did you mean REPLICATOR_HTTP_PORT?"),
        ("replicator_workers", "3", ""),
    ],
)
def test_misspelt_settings_are_said(monkeypatch: pytest.MonkeyPatch, name: str, value: str, is_said: str) -> None:
    """Names with our prefix that are no setting are said with the nearest one; those that Kubernetes makes are not ours."""
    monkeypatch.setenv(name, value)
    said = settings.load().warnings()
    assert is_said in "".join(said)
    assert bool(said) is bool(is_said)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("REPLICATOR_WORKERS", "many", "a whole number"),
        ("REPLICATOR_WORKERS", "0", "at least 1"),
        ("REPLICATOR_WORKERS", "9" * 5000, "a whole number"),
        ("REPLICATOR_POLL_SECONDS", "soon", "a number"),
        ("REPLICATOR_POLL_SECONDS", "nan", "a number"),
        ("REPLICATOR_HANG_SECONDS", "inf", "a number"),
        ("REPLICATOR_HEADROOM", "1", "less than 1"),
        ("REPLICATOR_ROLE_PREFIX", "A B", "small letters, digits and _"),
        ("REPLICATOR_ACCOUNT", "x" * 201, "at most 200"),
        ("REPLICATOR_RENEWAL", "soon:SECRET", "older"),
        ("REPLICATOR_ACCOUNT", "\udcff", "UTF-8"),
        ("DATABASE_URL", '"postgresql://SECRET@h/d"', "quotes"),
    ],
)
def test_a_wrong_value_is_named_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    """The setting and what was expected are said, and the value is not."""
    monkeypatch.setenv(name, value)
    said = refused()
    assert f"{name}: " in said
    assert expected in said
    assert "SECRET" not in said
    assert value not in said or len(value) == 1


def test_line_ends_and_spaces_around_a_value_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of variables that Windows wrote leaves a carriage return at each end."""
    monkeypatch.setenv("REPLICATOR_WORKERS", " 3\r")
    monkeypatch.setenv("REPLICATOR_DETAILS", "none\r\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d\r\n")
    made = settings.load()
    assert (made.replicator_workers, made.replicator_details) == (3, ())
    assert made.database_url is not None
    assert made.database_url.get_secret_value() == "postgresql://h/d"
