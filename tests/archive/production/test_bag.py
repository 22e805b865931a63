"""Bags as a whole: BagIt's own library accepts them, and the same selection gives the same bytes."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from replicator.archive import chain
from replicator.archive.kinds import Kind
from replicator.archive.production import audit_path, bag, producing, verify_file
from tests import fix_commands
from tests.archive import fix_bags
from tests.archive.fix_texts import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_bagit_accepts(folder: Path) -> None:
    """In a process of its own: the library warns of itself in newer Pythons."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bagit", "--validate", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


def test_bagit_accepts_it_and_so_do_we(tmp_path: Path) -> None:
    """Whatever was said in the calls, the library of the Library of Congress and our verifier accept the bag."""
    fix_bags.write(fix_bags.archive(len(HOSTILE), HOSTILE), tmp_path / "bag")
    assert_bagit_accepts(tmp_path / "bag")
    assert verify_file.verify(str(tmp_path / "bag"), fix_bags.PUBLIC)[0] == []
    assert fix_bags.run(tmp_path / "bag").returncode == 0


def test_the_same_selection_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two exports, by two people at two times, while the archive grew in between: they differ in four named files only."""
    made = fix_bags.archive(3, HOSTILE[:5])
    fix_bags.write(made, tmp_path / "one", calls={1, 2})
    made.seal((Kind.READ, fix_bags.subject(3), {"by": "x", "reason": "y"}, None))
    fix_bags.write(made, tmp_path / "two", calls={1, 2}, by="bert", at=fix_bags.START + timedelta(days=1))
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert one.keys() == two.keys()
    assert {name for name in one if one[name] != two[name]} == set(bag.STATED)


def test_an_empty_selection_is_a_bag(tmp_path: Path) -> None:
    """Nothing found is an answer, too: a bag without records, which both accept."""
    fix_bags.write(fix_bags.archive(1), tmp_path / "bag", calls=set())
    assert_bagit_accepts(tmp_path / "bag")
    done = fix_bags.run(tmp_path / "bag")
    assert done.returncode == 0
    assert "0 records" in done.stdout


def test_names_are_safe_everywhere(tmp_path: Path) -> None:
    """Lower-case ASCII, short, and the same on a file system that ignores case."""
    fix_bags.write(fix_bags.archive(3, HOSTILE), tmp_path / "bag")
    names = files(tmp_path / "bag").keys()
    assert all(re.fullmatch(r"[a-z0-9_./-]{1,90}", name) or name == bag.README for name in names)
    assert len({name.lower() for name in names}) == len(names)


def test_what_is_not_stored_any_more_is_named(tmp_path: Path) -> None:
    """A payload or an audio that is gone or changed is in the result, and the verifier names the same."""
    made = fix_bags.archive(3)
    del made.payloads[1]
    made.payloads[5] = fix_bags.call(summary="changed since")
    made.payloads[6] = fix_bags.transcript(("agent", "changed since"))
    gone = next(iter(made.stored))
    del made.stored[gone]
    done = fix_bags.write(made, tmp_path / "bag")
    assert [re.sub(r" record (\d+).*", r" \1", text) for text in done.damaged] == [
        "the payload of 1", "the audio of 3", "the payload of 5", "the payload of 6"
    ]  # fmt: skip
    faults = verify_file.verify(str(tmp_path / "bag"))[0]
    assert [re.search(r"/0*(\d+)-(\w+)\.", fault).groups() for fault in faults] == [  # type: ignore[union-attr]
        ("1", "call"), ("3", "recording"), ("5", "call"), ("6", "transcript")
    ]  # fmt: skip


@pytest.mark.pure
@pytest.mark.parametrize("summary", [None, "", "word", "two words", 'a "b" \\ (c), d', *HOSTILE])
def test_a_transcript_can_be_taken_out_of_its_file(summary: str | None) -> None:
    """The file holds the summary and the exact text of each segment: the verifier gets back what was sealed."""
    segments = [json.dumps({"text": text, "speaker": "x"}) for text in ("", "a,\nb]", '"]}\n,')]
    for lines in ([], segments[:1], segments):
        file = bag.transcript_file(summary, "\n".join(lines) or None)
        assert verify_file.transcript_of(file) == (summary, [line.encode() for line in lines])
        assert len(json.loads(file)["segments"]) == len(lines)


def many(calls: int) -> Iterator[producing.Part]:
    """The blocks of many calls, each made when it is asked for; a kilobyte or two for each call."""
    before, chance = None, random.Random(1)
    for number in range(1, calls + 1):
        one, rows = fix_bags.subject(number), []
        files = (
            (Kind.CALL, fix_bags.sealed(fix_bags.call(number=number, context="x" * 1000))),
            (Kind.TRANSCRIPT, fix_bags.sealed(fix_bags.transcript(("agent", "y" * 1000)))),
            (Kind.RECORDING, None),
        )
        for kind, payload in files:
            digest = sha256(fix_bags.AUDIO).hexdigest() if payload is None else payload.sha256
            content = chain.canonical(
                {
                    "kind": kind,
                    "account": fix_bags.ACCOUNT,
                    "call_id": str(one),
                    "sha256": digest,
                    "media_type": "audio/wav",
                }
            )
            salt = chance.randbytes(32)
            rows.append((kind, payload, salt, content, chain.commitment(salt, content)))
        before = chain.next_block(
            fix_bags.ACCOUNT, before, [row[0] for row in rows], [row[4] for row in rows], fix_bags.START
        )
        tree = audit_path.Tree(chain.leaf(before.first + place, row[0], row[4]) for place, row in enumerate(rows))
        yield producing.Part(before, [
            producing.Item(
                bag.Sealed(before.first + place, kind, one, salt, content, made, before.block), tree.path(place), payload
            )
            for place, (kind, payload, salt, content, made) in enumerate(rows)
        ])  # fmt: skip


MEASURED = """
import resource, sys
from pathlib import Path
from replicator.archive.production import bag, bag_folder, producing, verify_file
from tests.archive import fix_bags
from tests.archive.production import test_bag
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def write(calls, target):
    with bag_folder.making(Path(target)) as folder:
        folder.write("data/calls/long-recording.wav", (bytes(2**20) for _ in range(40)))
        producing.write(folder, fix_bags.ACCOUNT, test_bag.many(calls), lambda _: [fix_bags.AUDIO], ())
        folder.finish()
        folder.write_tags({bag.README: b"", bag.CUSTODY: b"", bag.INFO: bag.info(folder.files, folder.bytes, fix_bags.START, "x")})
        folder.complete(b"{}\\n")
    return verify_file.verify(target)[0]
write(20, "few")
before = most()
faults = write(int(sys.argv[1]), "many")
print(most() - before, *faults, sep="\\n")
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_calls(tmp_path: Path) -> None:
    """2,000 calls with audio, 14,000 files, one of them of 40 MB: writer and verifier together need at most 12 MB more than
    for 20 calls. (The verifier keeps some 300 bytes for each file.)
    """
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "2000"], capture_output=True, text=True, check=False, cwd=tmp_path,
        env=fix_commands.environment({}),
    )  # fmt: skip
    kilobytes, *faults = done.stdout.splitlines()
    assert faults == [
        "data/calls/long-recording.wav belongs to no record of the bag", "export.json is not the proof of an export"
    ], done.stderr  # fmt: skip
    assert int(kilobytes) < 12_000
