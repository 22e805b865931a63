"""One rule for all files that secrets come from: others may read them, as in containers, and nobody else may write them."""

from __future__ import annotations

import codecs
import os
import pwd
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from replicator import settings, trusted_files
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "a-secret-of-more-than-thirty-two-characters"
NAMES = ("truedy_api_key_file", "replicator_pseudonym_key_file")
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others and become somebody else")


def taken(name: str, path: Path) -> str:
    """Return the secret that a setting gives, as the commands ask for it."""
    made = settings.load(**{name: path})
    if name == "truedy_api_key_file":
        return made.api_keys()[0]
    return (made.pseudonym_key() or b"").decode()


def refused(name: str, path: Path) -> str:
    """Return what is said where the file is not taken; the setting and the path are named, the content never."""
    with pytest.raises(ConfigurationError) as failure:
        taken(name, path)
    said = failure.value.explain()
    assert name.upper() in said
    assert SECRET not in said
    return said


@contextmanager
def somebody_else() -> Iterator[int]:
    """Be the account nobody for a while."""
    nobody = pwd.getpwnam("nobody").pw_uid
    os.seteuid(nobody)
    try:
        yield nobody
    finally:
        os.seteuid(0)


def secret_in(folder: Path, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_text(SECRET, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def open_folder(reachable_folder: Path, tmp_path: Path) -> Path:
    """A folder that other accounts may look into."""
    folder = reachable_folder / tmp_path.name
    folder.mkdir(mode=0o755)
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o600, 0o604, 0o640, 0o644])
def test_a_file_that_others_may_only_read_is_taken(name: str, tmp_path: Path, mode: int) -> None:
    """Modes of Docker's and Kubernetes' secrets are fine for every secret."""
    assert taken(name, secret_in(tmp_path, mode)) == SECRET


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [0o602, 0o620, 0o622, 0o660, 0o664, 0o666])
def test_a_file_that_others_may_write_is_refused(name: str, tmp_path: Path, mode: int) -> None:
    """Whoever writes the key chooses the account; whoever writes the secret can tell the numbers."""
    path = secret_in(tmp_path, mode)
    assert f"chmod go-w {path}" in refused(name, path)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_in_which_others_may_replace_the_file_is_refused(name: str, tmp_path: Path) -> None:
    """A file of mode 0600 is anybody's where anybody may put another one in its place; a sticky folder keeps it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    path = secret_in(folder)
    folder.chmod(0o777)
    assert str(folder) in refused(name, path)
    folder.chmod(0o1777)
    assert taken(name, path) == SECRET
    # The same for a folder further up.
    inner = folder / "inner"
    inner.mkdir()
    path = secret_in(inner)
    assert taken(name, path) == SECRET
    folder.chmod(0o777)
    refused(name, path)


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_as_kubernetes_mounts_it(name: str, tmp_path: Path) -> None:
    """Symbolic links over `..data`, in a sticky folder, are followed to a file that keeps the rule, and only to such a one."""
    mount = tmp_path / "mount"
    mount.mkdir()
    mount.chmod(0o1777)
    version = mount / "..2026_11_28"
    version.mkdir(mode=0o755)
    target = secret_in(version, 0o444)
    (mount / "..data").symlink_to("..2026_11_28")
    (mount / "key").symlink_to("..data/secret")
    assert taken(name, mount / "key") == SECRET
    target.chmod(0o666)
    assert str(target) in refused(name, mount / "key")


@is_root
@pytest.mark.parametrize("name", NAMES)
def test_whose_the_file_is(name: str, open_folder: Path) -> None:
    """Root's file is taken by everybody, one's own by oneself; a third one's by nobody, and root takes no user's."""
    path = secret_in(open_folder, 0o644)
    with somebody_else() as nobody:
        assert taken(name, path) == SECRET
    os.chown(path, nobody, -1)
    assert "belongs to nobody" in refused(name, path)
    with somebody_else():
        assert taken(name, path) == SECRET
    os.chown(path, 12345, -1)
    with somebody_else():
        assert "belongs to user id 12345" in refused(name, path)
    os.chown(path, 0, -1)
    os.chown(open_folder, nobody, -1)
    assert "the folder" in refused(name, path)


@is_root
def test_a_link_of_somebody_else_is_not_followed(open_folder: Path) -> None:
    """In a sticky folder anybody can make a link to a file of root's: whose the link is decides, too."""
    path = secret_in(open_folder)
    link = open_folder / "link"
    link.symlink_to(path)
    assert taken(NAMES[0], link) == SECRET
    os.lchown(link, 12345, -1)
    assert "symbolic link" in refused(NAMES[0], link)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A FIFO would hold the command up for ever, a device end it; a folder is named as one."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    assert "a FIFO" in refused(NAMES[0], fifo)
    assert "a folder" in refused(NAMES[0], tmp_path)
    assert "a device" in refused(NAMES[0], Path("/dev/zero"))
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert "cannot be read" in refused(NAMES[0], loop)
    assert "no such file" in refused(NAMES[0], tmp_path / "nothing")
    assert "not a directory" in refused(NAMES[0], secret_in(tmp_path) / "below")


@is_root
def test_a_file_that_cannot_be_read(open_folder: Path) -> None:
    """Without the right to read it, the setting, the path and the reason are said."""
    path = secret_in(open_folder, 0o600)
    with somebody_else():
        said = refused(NAMES[1], path)
    assert str(path) in said
    assert "permission denied" in said


@pytest.mark.parametrize(
    "content",
    [
        SECRET.encode(),
        f"{SECRET}\n".encode(),
        f"  {SECRET}\r\n\r\n".encode(),
        codecs.BOM_UTF8 + f"{SECRET}\r\n".encode(),
        codecs.BOM_UTF16_LE + f"{SECRET}\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + f"{SECRET}\r\n".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + SECRET.encode("utf-32-le"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_an_editor_makes_of_it_is_read(name: str, tmp_path: Path, content: bytes) -> None:
    """Byte order marks, UTF-16, Windows' line ends and spaces around it change no secret."""
    path = secret_in(tmp_path)
    path.write_bytes(content)
    assert taken(name, path) == SECRET


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        (b"caf\xe9-" + SECRET.encode(), "UTF-8"),
        (SECRET.encode("utf-16-le"), "NUL"),
        (b"x" * 70_000, "larger"),
        (codecs.BOM_UTF16_LE + b"x", "UTF-16"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_holds_no_secret_is_said(name: str, tmp_path: Path, content: bytes, says: str) -> None:
    """An empty file, a huge one, and one in no encoding that can be told end with what is wrong."""
    path = secret_in(tmp_path)
    path.write_bytes(content)
    assert says in refused(name, path)


@pytest.mark.parametrize(
    "key",
    ['"truedy_abcdef"', "'truedy_abcdef'", "truedy abcdef", "Bearer truedy_abcdef", "truedy_äöü", "a\nb", "a\x1b[31mb"],
)
def test_what_cannot_be_a_key_is_refused_before_it_is_sent(key: str) -> None:
    """Quotes, spaces, control and non-ASCII characters are no part of a key; the key itself is not shown."""
    with pytest.raises(ConfigurationError) as failure:
        settings.load(truedy_api_key=key).api_keys()
    assert "TRUEDY_API_KEY" in failure.value.message
    assert "abcdef" not in failure.value.explain()


def test_white_space_around_keys_is_nothing() -> None:
    """Line ends at the end, and spaces beside the comma between two keys, do not get into a header."""
    assert settings.load(truedy_api_key=" truedy_a ,\ttruedy_b\r\n").api_keys() == ["truedy_a", "truedy_b"]


def test_the_way_is_looked_at_once_more_when_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened keeps the rule, too, not only what was looked at before."""
    path = secret_in(tmp_path)
    found = trusted_files.look(path)
    path.chmod(0o666)
    monkeypatch.setattr(trusted_files, "look", lambda _path: found)
    assert isinstance(trusted_files.read(path), trusted_files.Refused)
