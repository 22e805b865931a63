"""The one-file verifier against bags that were tampered with: each change is found, and named."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from replicator.archive.kinds import Kind
from replicator.archive.production import bag, bag_folder, verify_file
from tests.archive import fix_bags
from tests.archive.fix_texts import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of two calls; the transcript of one was erased, under a record in the third block."""
    made = fix_bags.archive(2, HOSTILE[:2])
    made.seal((Kind.ERASURE, None, {"by": "anna", "reason": "asked", "records": [6]}, None))
    made.erase(6)
    target = tmp_path_factory.mktemp("whole") / "bag"
    fix_bags.write(made, target)
    return target


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "bag")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def restore(folder: Path, before: dict[str, bytes]) -> None:
    now = contents(folder)
    for name in now.keys() - before.keys():
        (folder / name).unlink()
    for name, data in before.items():
        if now.get(name) != data:
            (folder / name).write_bytes(data)


def remanifest(folder: Path) -> None:
    """Write both manifests and the sum of sizes anew, as somebody does who knows BagIt."""

    def lines(chosen: Iterator[str]) -> bytes:
        return b"".join(
            f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n".encode() for name in chosen
        )

    payload = [name for name in names(folder) if name.startswith("data/")]
    size = sum((folder / name).stat().st_size for name in payload)
    if (info := folder / "bag-info.txt").exists():
        oxum = f"Payload-Oxum: {size}.{len(payload)}".encode()
        info.write_bytes(re.sub(rb"Payload-Oxum: [0-9.]+", oxum, info.read_bytes()))
    (folder / "manifest-sha256.txt").write_bytes(lines(iter(payload)))
    tags = (name for name in names(folder) if not name.startswith("data/") and name != "tagmanifest-sha256.txt")
    (folder / "tagmanifest-sha256.txt").write_bytes(lines(tags))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -max(1, path.stat().st_size // 3)])


def insert(path: Path) -> None:
    (path.parent / f"x-{path.name}").write_bytes(path.read_bytes())


def grow(path: Path) -> None:
    """Repeat the last line."""
    data = path.read_bytes()
    path.write_bytes(data + data.splitlines(keepends=True)[-1])


def drop_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2] + lines[len(lines) // 2 + 1 :]))


def swap_lines(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-2], lines[-1] + (b"" if lines[-1].endswith(b"\n") else b"\n"), *lines[-2:-1]]))


def swap_files(path: Path) -> None:
    """Exchange it with another file of the bag."""
    folder = next(parent for parent in path.parents if (parent / "bagit.txt").exists())
    others = [name for name in names(folder) if (folder / name).read_bytes() != path.read_bytes()]
    other = folder / others[len(others) // 2]
    mine, its = path.read_bytes(), other.read_bytes()
    path.write_bytes(its)
    other.write_bytes(mine)


ATTACKS: tuple[Callable[[Path], None], ...] = (
    flip, cut, insert, grow, drop_line, swap_lines, swap_files, lambda path: path.unlink(),
    lambda path: path.write_bytes(b""),
)  # fmt: skip


def found(folder: Path, **options: object) -> list[str]:
    try:
        return verify_file.verify(str(folder), **options)[0]  # type: ignore[arg-type]
    except verify_file.Unusable as error:
        return [str(error)]


@pytest.mark.slow
@pytest.mark.parametrize("is_remade", [False, True])
def test_every_change_of_every_file_is_found(whole: Path, tmp_path: Path, is_remade: bool) -> None:
    """Each file is flipped, cut, doubled, lengthened, shortened by a line, swapped, deleted and emptied; then the manifests
    are made to fit. Each time the verifier says so. The untouched bag is whole before and after.
    """
    copy, before, tried = shutil.copytree(whole, tmp_path / "bag"), contents(whole), 0
    assert found(copy) == []
    for name in names(whole):
        for attack in ATTACKS:
            attack(copy / name)
            if is_remade:
                remanifest(copy)
            if contents(copy) != before:
                assert found(copy), (name, attack)
                tried += 1
                restore(copy, before)
    assert tried > 150
    assert found(copy) == []


def edited(folder: Path, name: str, change: Callable[[list[dict[str, object]]], None]) -> None:
    path = folder / name
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(rows)
    path.write_bytes(b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows))


@pytest.mark.parametrize("field", sorted(verify_file.RECORD_FIELDS))
def test_each_field_of_a_record_is_checked(copy: Path, field: str) -> None:
    """A value of another record in its place, or none, is found although it is well-formed and the manifests fit."""
    for value in ("other", None):
        edited(
            copy, "data/proof/records.jsonl",
            lambda rows: rows[0].__setitem__(field, rows[4][field] if value else None),  # noqa: B023 - used at once
        )  # fmt: skip
        remanifest(copy)
        assert any("record" in fault or "load" in fault for fault in found(copy))


@pytest.mark.parametrize("field", sorted(verify_file.BLOCK_FIELDS))
def test_each_field_of_a_block_is_checked(copy: Path, field: str) -> None:
    """The same with blocks: the chain does not hold."""
    edited(copy, "data/proof/blocks.jsonl", lambda rows: rows[0].__setitem__(field, rows[1][field]))
    remanifest(copy)
    assert any("block" in fault for fault in found(copy))


def test_a_record_that_was_erased_without_an_erasure_is_found(copy: Path) -> None:
    """Content and salt may only go where a sealed erasure in the bag names the record."""

    def erase(rows: list[dict[str, object]]) -> None:
        rows[1]["bytes"] = rows[1]["salt"] = None

    edited(copy, "data/proof/records.jsonl", erase)
    assert any("no erasure" in fault for fault in found(copy))


def test_the_whole_bag_is_described(whole: Path) -> None:
    """Run alone in a process, it says what is proven and what not, in words, and names the erased record."""
    done = fix_bags.run(whole)
    assert done.returncode == 0, done.stdout
    assert "7 records are as they were sealed, in 3 blocks without a gap" in done.stdout
    assert "1 of them were erased" in done.stdout
    assert "gone: 6" in done.stdout
    assert "NOT checked: whose key" in done.stdout
    assert fix_bags.PUBLIC in done.stdout
    assert done.stdout.endswith("WHOLE: nothing is wrong with this bag\n")
    trusted = fix_bags.run(whole, "--key", fix_bags.PUBLIC, "--json")
    facts = json.loads(trusted.stdout)
    assert facts["whole"]
    assert not any("NOT" in line for line in facts["proven"])


def test_who_signs_with_another_key_is_found(tmp_path: Path) -> None:
    """Everything rewritten and signed anew by somebody else: found by the key that the owner published, or by one head that
    the reader kept; without both the verifier says that it did not check whose key it is.
    """
    theirs = Ed25519PrivateKey.from_private_bytes(bytes(32))
    honest, forged = fix_bags.archive(2), fix_bags.archive(2, ["never said"])
    fix_bags.write(honest, tmp_path / "honest")
    fix_bags.write(forged, tmp_path / "forged", key=theirs)
    head = tmp_path / "head.json"
    head.write_bytes(fix_bags.head_file(honest.blocks[-1]))
    assert "NOT checked" in fix_bags.run(tmp_path / "forged").stdout
    for options in (["--key", fix_bags.PUBLIC], ["--head", str(head)]):
        assert fix_bags.run(tmp_path / "honest", *options).returncode == 0
        refused = fix_bags.run(tmp_path / "forged", *options)
        assert refused.returncode == 1
        assert "another key" in refused.stdout or "rewritten" in refused.stdout


def test_what_nobody_signed_is_said(tmp_path: Path) -> None:
    """Without a signed head all of it could have been rewritten, and it says that; a key that was given is a fault then."""
    fix_bags.write(fix_bags.archive(2), tmp_path / "bag", signed=False)
    done = fix_bags.run(tmp_path / "bag")
    assert done.returncode == 0
    assert "NOT covered by a head: records from 1 on" in done.stdout
    assert "sealed, but not signed" in done.stdout
    assert fix_bags.run(tmp_path / "bag", "--key", fix_bags.PUBLIC).returncode == 1


def test_with_a_key_all_has_to_be_signed(tmp_path: Path) -> None:
    """Who drops a call, or appends one, and makes the rest of the bag anew, signs neither the list of files nor a head behind
    what is appended. With the owner's key that is a fault, although an honest head lies in the bag.
    """
    made = fix_bags.archive(2)
    fix_bags.write(made, tmp_path / "cut", calls={2})
    export, tags = tmp_path / "cut" / "export.json", tmp_path / "cut" / "tagmanifest-sha256.txt"
    before = hashlib.sha256(export.read_bytes()).hexdigest()
    export.write_bytes(bag.page({**json.loads(export.read_bytes()), "head": None}))
    after = hashlib.sha256(export.read_bytes()).hexdigest()
    tags.write_text(tags.read_text().replace(before, after))
    fix_bags.archive_behind(made, tmp_path / "longer")
    for folder, what in (
        ("cut", "some could have been left out"),
        ("longer", "records from 9 on lie behind the last head"),
    ):
        assert fix_bags.run(tmp_path / folder).returncode == 0
        trusted = fix_bags.run(tmp_path / folder, "--key", fix_bags.PUBLIC)
        assert (trusted.returncode, what in trusted.stdout) == (1, True), trusted.stdout


def test_links_are_never_followed(copy: Path, tmp_path: Path) -> None:
    """A link to a file with the right bytes, a link to a folder, and a pipe are named; none is opened."""
    victim = copy / names(copy)[5]
    (tmp_path / "outside").write_bytes(victim.read_bytes())
    victim.unlink()
    victim.symlink_to(tmp_path / "outside")
    (copy / "data" / "more").symlink_to(tmp_path)
    os.mkfifo(copy / "data" / "pipe")
    faults = found(copy)
    assert sum("is a link" in fault for fault in faults) == 2
    assert any("data/pipe has no place" in fault for fault in faults)


@pytest.mark.parametrize("line", [
    b"0" * 64 + b"  ../../etc/passwd\n", b"0" * 64 + b"  /etc/passwd\n", b"0" * 64 + b"  C:\\x\n", b"\x00\xff\n", b"x" * 100_000,
    b"0" * 64 + b"  data/con.txt\n",
])  # fmt: skip
def test_a_manifest_that_points_outside_is_refused(copy: Path, line: bytes) -> None:
    """Names that are not those of the bag's own files are faults, and shown without what a terminal would obey."""
    path = copy / "manifest-sha256.txt"
    path.write_bytes(path.read_bytes() + line)
    done = fix_bags.run(copy)
    assert done.returncode == 1
    assert not done.stderr
    assert done.stdout.isascii()


@pytest.mark.parametrize("text", [b"[" * 100_000, b"{}", b"null", b"1" * 10_000, b"\xff", b'{"block":1e999}', b"[NaN]"])
def test_nonsense_ends_in_a_fault_and_not_in_a_traceback(copy: Path, text: bytes) -> None:
    """Whatever the proofs hold, the answer is exit code 1 and one line for each fault."""
    for name in ("data/proof/blocks.jsonl", "data/proof/records.jsonl", "data/proof/bag.json", "export.json",
                 "data/proof/heads/000000000003.json"):  # fmt: skip
        kept = (copy / name).read_bytes()
        (copy / name).write_bytes(text + b"\n")
        assert found(copy), name
        (copy / name).write_bytes(kept)


def test_what_is_no_bag_is_exit_2(tmp_path: Path, whole: Path) -> None:
    """A folder without a bag, no folder, a wrong key and a head that cannot be read are no verdict."""
    shutil.copy(whole / "verify.py", tmp_path)
    assert fix_bags.run(tmp_path).returncode == 2
    assert verify_file.main([str(tmp_path / "nowhere")]) == 2
    assert verify_file.main([str(whole), "--key", "xyz"]) == 2
    assert verify_file.main([str(whole), "--head", str(tmp_path / "none")]) == 2


def test_signatures_are_judged_as_cryptography_does() -> None:
    """300 keys, messages, and changed signatures: both say the same. RFC 8032's own first vector is right."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert verify_file.is_signed(public, signature, b"")
    for number in range(60):
        seed = hashlib.sha256(bytes([number])).digest()
        key = Ed25519PrivateKey.from_private_bytes(seed)
        mine, message = key.public_key().public_bytes_raw(), seed * (number % 5)
        made = key.sign(message)
        raised = (int.from_bytes(made[32:], "little") + verify_file.L).to_bytes(32, "little")
        for tried in (
            made,
            made[:32] + raised,
            bytes([made[0] ^ 1]) + made[1:],
            made[:-1] + bytes([made[-1] ^ 1]),
            bytes(64),
        ):
            try:
                Ed25519PublicKey.from_public_bytes(mine).verify(tried, message)
                theirs = True
            except InvalidSignature:
                theirs = False
            assert verify_file.is_signed(mine, tried, message) is theirs
    assert not verify_file.is_signed(b"\xff" * 32, bytes(64), b"")
    assert not verify_file.is_signed(public, signature[:63], b"")


def test_a_reader_who_wants_no_more_lines(whole: Path, copy: Path) -> None:
    """`verify.py BAG | head -1`: no traceback, and the exit code is still the verdict."""
    (copy / "data" / "load" / "load.csv").write_bytes(b"")
    for target, code in ((whole, 0), (copy, 1)):
        for more in ((), ("--json",)):
            reading, writing = os.pipe()
            os.close(reading)
            done = subprocess.run(
                [sys.executable, "-I", "-W", "error", str(target / "verify.py"), str(target), *more],
                stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            )  # fmt: skip
            os.close(writing)
            assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("key", ["", "00", "zz", "00" * 31, "02" + "00" * 31, " " + "00" * 32])
def test_what_is_no_key_is_not_taken_for_another_key(whole: Path, key: str) -> None:
    """Nothing was verified, and the key that was given is at fault: not the bag. An empty one is no reason to trust any."""
    done = fix_bags.run(whole, "--key", key)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--key is no public key" in done.stderr


def test_it_is_one_file_for_python_3_9() -> None:
    """It imports the standard library only, nothing of ours, and its syntax is that of 3.9."""
    text = bag_folder.VERIFIER.read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    used = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert used <= {*sys.stdlib_module_names, "__future__"}
    assert not used & {"socket", "urllib", "http", "subprocess", "ctypes"}
    assert "replicator" not in used
