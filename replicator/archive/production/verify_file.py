#!/usr/bin/env python3
r"""Verifies a bag of the compliance archive: python verify.py DIR [--key HEX] [--head FILE] [--json].

One file, Python 3.9 or newer, nothing to install, no network, no database. It was written from the description of the
format (docs/archive-export.md), apart from the program that makes bags. Nothing in DIR is trusted: no link is followed,
no file outside is opened, no text is shown raw. Files are read in parts; memory grows by about 200 bytes for each file.

--key is the archive's public key (hex) as its owner published it; --head is a copy of a head that you hold yourself.
Exit code: 0 nothing is wrong, 1 faults (each on a line), 2 no bag there, or a wrong option.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import stat
import sys

FORMAT = "truedy-archive-bag-1"
LINE = 256 * 2**20
NAME = re.compile(r"(?:[a-z0-9][a-z0-9_-]*/)*[a-zA-Z0-9][a-zA-Z0-9_-]*(?:\.[a-z0-9]+)?", re.ASCII)
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
TAGS = {
    "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", "custody.json", "export.json",
    "verify.py", "README.txt",
}  # fmt: skip
SEALED_TAGS = ("manifest-sha256.txt", "bag-info.txt", "custody.json", "README.txt", "verify.py")
OWN = ("data/proof/bag.json", "data/proof/blocks.jsonl", "data/proof/records.jsonl", "data/load/load.csv",
       "data/load/load.dat")  # fmt: skip
HEAD = re.compile(r"data/proof/heads/[0-9]{12}(?:-[0-9a-f]{16})?\.(json|tsr)", re.ASCII)
BLOCK_FIELDS = {"block", "first", "last", "root", "previous", "sealed_at", "hash"}
HEAD_FORMAT = "truedy-archive-head-1"
HEAD_FIELDS = {
    "format", "account", "block", "last_sequence", "hash", "sealed_at", "signed_at", "key", "signature",
}  # fmt: skip
RECORD_FIELDS = {"sequence", "kind", "subject", "block", "commitment", "salt", "bytes", "path", "stamps"}
COLUMNS = (
    "BEGDOC ENDDOC GROUPID KIND STATE OBSERVED_AT CREATED_AT STARTED_AT ENDED_AT DIRECTION STATUS FROM_NUMBER "
    "PHONE_NUMBER DURATION_SECONDS COST_USD AGENT_ID SUMMARY MEDIA_TYPE SHA256 NATIVE_PATH TEXT_PATH HTML_PATH"
).split()
MEDIA = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/flac": "flac", "audio/mp4": "m4a",
         "audio/webm": "webm", "audio/amr": "amr"}  # fmt: skip
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
BLANK = (
    r"(?:(?![;\t\r\n])[\s\x00-\x20\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    r"\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bcaf\U0001d173-\U0001d17a\U000e0000-\U000e0fff])*"
)
FORMULA = re.compile(rf"\A(?='*{BLANK}[=+\-@＝＋－＠\t\r\n])|(?<=[;\t\r\n])(?='*{BLANK}[=+\-@＝＋－＠])")
CSS = "body{font:16px/1.5 sans-serif;margin:2em}td{padding:.2em 1em .2em 0;vertical-align:top;white-space:pre-wrap}"
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Fault(Exception):
    """Something is wrong with the bag."""


class Unusable(Exception):
    """There is no bag to look at, or an option is wrong."""


def shown(text):
    """Return text that is safe in a terminal."""
    return "".join(c if " " <= c <= "~" else "\\u%04x" % ord(c) for c in str(text))[:300]


def need(is_so, what):
    if not is_so:
        raise Fault(what)


def sha(data):
    return hashlib.sha256(data).digest()


def visible(text):
    """Return text as the readable files show it."""
    return UNSEEN.sub(lambda found: "\\u%04x" % ord(found.group()), text.replace("\r\n", "\n"))


# ---------------------------------------------------------------------------------------------------- Ed25519 (RFC 8032)
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P


def _times(number, point):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _point(data):
    """Return the point that 32 bytes encode, or None."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (not x and sign):
        return None
    x = P - x if (x & 1) != sign else x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(key, signature, message):
    """Say whether an Ed25519 signature is right."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = _point(key), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = _times(s, BASE), _add(r, _times(k, a))
    return not (left[0] * right[2] - right[0] * left[2]) % P and not (left[1] * right[2] - right[1] * left[2]) % P


# ------------------------------------------------------------------------------------------------------------- the folder
class Bag:
    """The files of a folder; only ordinary files that its own listing found are ever opened."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        if os.name == "nt" and not self.root.startswith("\\\\"):
            self.root = "\\\\?\\" + self.root  # paths longer than 260 characters
        if os.path.islink(self.root) or not os.path.isdir(self.root):
            raise Unusable("%s is no folder" % shown(root))
        self.files, self.faults, self.hashes = {}, [], {}

    def walk(self, below=""):
        """List the files, deepest folders last, and name what has no place in a bag."""
        waiting = [below]
        while waiting:
            here = waiting.pop()
            with os.scandir(self.path(here)) as entries:
                for entry in entries:
                    name = here + "/" + entry.name if here else entry.name
                    facts = entry.stat(follow_symlinks=False)
                    is_link = entry.is_symlink() or getattr(facts, "st_file_attributes", 0) & 0x400
                    if is_link:
                        self.faults.append("%s is a link: it is not followed" % shown(name))
                    elif stat.S_ISDIR(facts.st_mode):
                        waiting.append(name)
                    elif not stat.S_ISREG(facts.st_mode) or not is_safe(name):
                        self.faults.append("%s has no place in a bag" % shown(name))
                    else:
                        self.files[name] = facts.st_size

    def path(self, name):
        return os.path.join(self.root, *name.split("/")) if name else self.root

    def open(self, name):
        need(name in self.files, "%s is not there" % shown(name))
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            return os.fdopen(os.open(self.path(name), flags), "rb")
        except OSError as error:
            raise Fault("%s cannot be read: %s" % (shown(name), shown(error.strerror))) from None

    def hash(self, name):
        """Return the SHA-256 (hex) of a file, read in parts; that of audio is kept."""
        if name not in self.hashes:
            total = hashlib.sha256()
            with self.open(name) as file:
                for part in iter(lambda: file.read(2**20), b""):
                    total.update(part)
            if "-recording." not in name:
                return total.hexdigest()
            self.hashes[name] = total.hexdigest()
        return self.hashes[name]

    def lines(self, name, longest=LINE):
        """Yield the lines of a file without their line feeds."""
        with self.open(name) as file:
            for number, line in enumerate(iter(lambda: file.readline(longest), b""), 1):
                need(line.endswith(b"\n"), "%s, line %d, is cut off or too long" % (shown(name), number))
                yield line[:-1]

    def read(self, name, most=2**20):
        with self.open(name) as file:
            data = file.read(most + 1)
        need(len(data) <= most, "%s is too long" % shown(name))
        return data

    def content(self, name):
        """Return a small file's bytes; None where it is not there, which is named elsewhere."""
        return self.read(name, LINE) if name in self.files else None

    def json(self, name):
        """Return a file's JSON, with each number as its text; None where it has none."""
        try:
            return parsed(self.read(name, LINE), name, str)
        except Fault:
            return None

    def check(self, *steps):
        """Perform steps; what each finds is a fault, and the next goes on."""
        for step in steps:
            try:
                step()
            except Fault as fault:
                self.faults.append(str(fault))


def is_safe(name):
    return bool(NAME.fullmatch(name)) and not any(RESERVED.fullmatch(part) for part in name.split("/"))


def parsed(data, what, numbers=None):
    """Return JSON. `numbers=str` keeps each number as its text."""
    try:
        return json.loads(data, parse_int=numbers, parse_float=numbers, parse_constant=numbers)
    except (ValueError, RecursionError):
        raise Fault("%s is no JSON" % what) from None


def digest(value, what):
    need(isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value), "%s is no hash" % what)
    return bytes.fromhex(value)


def count(value, what):
    need(type(value) is int and 0 < value < 2**63, "%s is no positive whole number" % what)
    return value


# ----------------------------------------------------------------------------------------------------- BagIt (RFC 8493)
def check_manifest(bag, name, is_payload):
    """Compare a manifest with the files: each is named once, each is there, each has its hash."""
    left = {one for one in bag.files if one.startswith("data/") is is_payload and one != "tagmanifest-sha256.txt"}
    before = ""
    for line in bag.lines(name, 4096):
        found = re.fullmatch(rb"([0-9a-f]{64})  ([ -~]+)", line)
        need(found, "%s has a line that is not one of a manifest" % name)
        path = found.group(2).decode()
        need(is_payload or path > before, "the lines of %s are not in their order" % name)
        before = path
        if path not in left:
            why = "is not there" if path not in bag.files else "is named twice, or in the wrong manifest"
            bag.faults.append("%s: %s %s" % (name, shown(path), why))
            continue
        left.discard(path)
        if bag.hash(path) != found.group(1).decode():
            bag.faults.append("%s was changed: its hash is not the one in %s" % (path, name))
    bag.faults.extend("%s is not in %s" % (one, name) for one in sorted(left))


def check_bag(bag):
    need(bag.read("bagit.txt") == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "bagit.txt was changed")
    payload = [size for name, size in bag.files.items() if name.startswith("data/")]
    lines = [line for line in bag.read("bag-info.txt").splitlines() if line.startswith(b"Payload-Oxum:")]
    need(
        lines == [b"Payload-Oxum: %d.%d" % (sum(payload), len(payload))], "Payload-Oxum is not what the files add up to"
    )


# ------------------------------------------------------------------------------------------------------------- the chain
def block_hash(account, block):
    """Return a block's hash, of its fields as they stand in a line of blocks.jsonl."""
    text = "%s\n%d\n%d\n%d\n%s\n%s\n%s\n" % (
        account, block["block"], block["first"], block["last"], block["root"], block["previous"], block["sealed_at"],
    )  # fmt: skip
    return sha(b"truedy-archive-block-1\n" + text.encode())


def check_block(account, block):
    """Check one block by itself; return its hash."""
    need(set(block) == BLOCK_FIELDS, "a block has other fields")
    number = count(block.get("block"), "a block's number")
    what = "block %d" % number
    need(count(block.get("first"), what) <= count(block.get("last"), what), what + " ends before it begins")
    digest(block.get("root"), what)
    need(number > 1 or block.get("previous") == "0" * 64, "block 1 has a block before it")
    digest(block.get("previous"), what)
    need(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", str(block.get("sealed_at")), re.ASCII),
        what + " has no time",
    )
    need(digest(block.get("hash"), what) == block_hash(account, block), what + " was changed: its hash is another")
    return block["hash"]


def root_of(leaf, index, size, path):
    """Return the Merkle root that a leaf and its audit path lead to (RFC 9162, 2.1.3.2), or None."""
    last = size - 1
    for other in path:
        if not last:
            return None
        if index & 1 or index == last:
            leaf = sha(b"\x01" + other + leaf)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            leaf = sha(b"\x01" + leaf + other)
        index, last = index >> 1, last >> 1
    return None if last else leaf


def check_record(record, block, account):
    """Check that a record lies in its block; return its content, or None where it was erased."""
    need(set(record) == RECORD_FIELDS, "a record has other fields")
    sequence = count(record.get("sequence"), "a record's sequence")
    what = "record %d" % sequence
    need(record.get("block") == block["block"], what + " names another block")
    kind = record.get("kind")
    need(isinstance(kind, str) and re.fullmatch("[a-z_]{1,40}", kind), what + " has no kind")
    commitment, path = digest(record.get("commitment"), what), record.get("path")
    need(isinstance(path, list) and len(path) < 64, what + " has no path")
    leaf = sha(b"\x00" + sequence.to_bytes(8, "big") + kind.encode() + b"\x00" + commitment)
    size, index = block["last"] - block["first"] + 1, sequence - block["first"]
    found = root_of(leaf, index, size, [digest(one, what) for one in path])
    need(found == bytes.fromhex(block["root"]), "%s does not lie in block %d: it was changed" % (what, block["block"]))
    if record.get("bytes") is None and record.get("salt") is None:
        return None
    try:
        data = base64.b64decode(record["bytes"], validate=True)
        need(base64.b64encode(data).decode() == record["bytes"], what + " is not written in its one form")
        right = hmac.new(digest(record["salt"], what), data, "sha256").digest()
    except (TypeError, ValueError, KeyError):
        raise Fault(what + " has no content, and is not erased") from None
    need(hmac.compare_digest(right, commitment), what + " was changed: its content is not what was sealed")
    content = parsed(data, what, str)
    need(isinstance(content, dict), what + " is no object")
    need((content.get("kind"), content.get("account")) == (kind, account), what + " is of another kind or account")
    content["\0"] = data
    return content


# ------------------------------------------------------------------------------- the files that are made from the records
def text_of(value):
    """Return a value of the source's JSON as the text of a cell."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )


def readable(record, found):
    """Return a transcript as plain text and as HTML. `found` is its sealed JSON, parsed."""
    segments = found.get("segments") if isinstance(found, dict) else None
    said = [
        [visible(text_of(one.get(name))) for name in ("timestamp", "speaker", "text")]
        for one in (segments if isinstance(segments, list) else ())
        if isinstance(one, dict)
    ]
    about = (
        "Transcript of call %s" % record["subject"],
        "Record %d of the archive." % record["sequence"],
        "Characters that cannot be seen are shown as \\u and their number; the JSON file beside this one has the exact text.",
    )
    text = "\n".join(about) + "\n\n"
    for start, speaker, words in said:
        text += "[%s s] %s: %s\n" % (one_line(start), one_line(speaker), words.replace("\n", "\n    "))
    rows = "".join(
        "<tr><td>%s</td><td>%s</td><td><bdi>%s</bdi></td></tr>\n" % tuple(escaped(cell) for cell in cells)
        for cells in said
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="%s"><title>%s</title><style>%s</style></head>\n'
        "<body><h1>%s</h1>\n<p>%s</p>\n<p>%s</p>\n<table>\n<tr><th>Seconds</th><th>Speaker</th><th>Text</th></tr>\n%s"
        "</table></body></html>\n"
    ) % (POLICY, escaped(about[0]), CSS, escaped(about[0]), escaped(about[1]), escaped(about[2]), rows)
    return text.encode(), page.encode()


def one_line(text):
    return text.replace("\n", " ")


def escaped(text):
    for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(raw, safe)
    return text


def transcript_of(data):
    """Return the summary and the segments' lines of a transcript's file, or None where it is not in its one form."""
    found = parsed(data, "a transcript", str)
    if not isinstance(found, dict) or list(found) != ["summary", "segments"]:
        return None
    lines = data.split(b"\n")[1:-2]
    lines = [line[:-1] if line.endswith(b",") else line for line in lines]
    summary = found["summary"]
    if not (summary is None or isinstance(summary, str)):
        return None
    form = b'{"summary": %s, "segments": [\n%s]}\n'
    is_right = data == form % (json.dumps(summary).encode(), b",\n".join(lines) + b"\n" * bool(lines))
    return (summary, lines) if is_right else None


def row_texts(summary, lines):
    """Yield the forms in which PostgreSQL writes the row (summary, lines), which is what is sealed of a transcript."""

    def quoted(text):
        return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'

    content = quoted(b"\n".join(lines)) if lines else b""
    if summary is None:
        yield b"(," + content + b")"
        return
    summary = summary.encode("utf-8", "surrogatepass")
    yield b"(" + quoted(summary) + b"," + content + b")"
    if summary and not re.search(rb'["\\(),\s]', summary):
        yield b"(" + summary + b"," + content + b")"


def stamps_of(record):
    """Return updated_at, observed_at and `late` of a call's version, which are sealed with its payload."""
    stamps = record.get("stamps")
    if stamps is None:
        return "", "", ""
    need(record["kind"] == "call" and isinstance(stamps, list) and len(stamps) == 3, "a record has wrong stamps")
    need(
        all(isinstance(one, str) and re.fullmatch("[0-9TZ:.-]*|late", one) for one in stamps),
        "a record has wrong stamps",
    )
    return tuple(stamps)


def short_digest(content):
    """Return the hash that a call's or a transcript's record seals: base64url without padding."""
    text = content.get("sha256")
    need(isinstance(text, str) and re.fullmatch("[A-Za-z0-9_-]{43}", text), "a record seals no hash")
    return base64.urlsafe_b64decode(text + "=")


def documents(record, content, bag):
    """Return the files that a record has in the bag, (name, SHA-256 in hex) each, and its row in the load files."""
    kind, subject, number = record["kind"], record["subject"], "%012d" % record["sequence"]
    row = dict.fromkeys(COLUMNS, "")
    row.update(BEGDOC="TRUEDY-" + number, ENDDOC="TRUEDY-" + number, GROUPID=subject or "", KIND=kind)
    row.update(STATE="erased" if content is None else "sealed")
    if content is None:
        return [], row
    stamps = stamps_of(record)
    row.update(OBSERVED_AT=text_of(content.get("observed_at", content.get("source_at", stamps[1]))))
    stem = "data/calls/%s/%s-%s" % (subject, number, kind) if subject else "data/account/%s-%s" % (number, kind)
    native = stem + ".json"
    data = bag.content(native)
    here = "" if data is None else hashlib.sha256(data).hexdigest()
    files = [(native, hashlib.sha256(content["\0"]).hexdigest())]
    row.update(NATIVE_PATH=native, SHA256=here)
    if kind == "call":
        sealed = None if data is None else sha(b"\n".join([data, *(one.encode() for one in stamps)]))
        files = [(native, here if sealed == short_digest(content) else "")]
        call = bag.json(native)
        row.update({name: text_of(call.get(name.lower())) for name in COLUMNS[6:17]} if isinstance(call, dict) else {})
    elif kind == "transcript":
        sealed, said = short_digest(content), data and transcript_of(data)
        files = [(native, here if said and sealed in map(sha, row_texts(*said)) else "")]
        if data is not None:
            text, page = readable(record, bag.json(native))
            files += [
                (stem + ".txt", hashlib.sha256(text).hexdigest()),
                (stem + ".html", hashlib.sha256(page).hexdigest()),
            ]
            row.update(TEXT_PATH=stem + ".txt", HTML_PATH=stem + ".html")
    elif kind == "recording":
        media = text_of(content.get("media_type"))
        sound = stem + "." + MEDIA.get(media, "bin"), digest(content.get("sha256"), "a recording's hash").hex()
        files.append(sound)
        row.update(MEDIA_TYPE=media, NATIVE_PATH=sound[0], SHA256=sound[1])
    return files, row


def csv_line(cells):
    """Return a line of load.csv; what a spreadsheet would run as a formula has an apostrophe before it."""
    return ",".join('"%s"' % safe_cell(one_line(visible(cell))).replace('"', '""') for cell in cells).encode() + b"\r"


def safe_cell(text):
    return text if re.fullmatch(r"-?\d+(\.\d+)?", text, re.ASCII) else FORMULA.sub("'", text)


def dat_line(cells):
    """Return a line of load.dat: each cell between U+00FE, U+0014 between cells, U+00AE for a line break."""
    texts = [
        visible(cell).replace("\xfe", "\\u00fe").replace("\xae", "\\u00ae").replace("\n", "\xae") for cell in cells
    ]
    return "\x14".join("\xfe%s\xfe" % text for text in texts).encode() + b"\r"


class Load:
    """Compares the load files with the rows that the records give, line by line."""

    def __init__(self, bag):
        self.bag, self.files = bag, []
        for name, line in (("data/load/load.csv", csv_line), ("data/load/load.dat", dat_line)):
            self.files.append([name, line, bag.lines(name), True])
        self.check(COLUMNS, "\ufeff".encode())

    def check(self, cells, before=b""):
        for one in self.files:
            name, line, lines, is_right = one
            if is_right and next(lines, None) != before + line(cells):
                one[3] = False
                self.bag.faults.append("%s does not say what was sealed (%s)" % (name, shown(cells[0])))

    def skip(self):
        """Leave out one row: that of a record that is wrong itself."""
        for _, _, lines, _ in self.files:
            next(lines, None)

    def end(self):
        for name, _, lines, is_right in self.files:
            need(not is_right or next(lines, None) is None, "%s has a line too many" % name)


# -------------------------------------------------------------------------------------------------------- all of it
class Verification:
    """One bag, and what was found out about it."""

    def __init__(self, bag, keys, outside):
        self.bag, self.trusted, self.outside = bag, keys, outside
        self.account, self.records, self.blocks = "", 0, 0
        self.erased, self.named, self.expected = set(), set(), set(OWN)
        self.hashes, self.heads, self.last, self.covered = {}, {}, 0, 0
        self.keys, self.said, self.exported = set(), [], ""
        self.is_signed = self.has_met_outside = False

    def chain(self):
        """Check blocks and records side by side, and the files that are made from them."""
        bag = self.bag
        data = bag.read("data/proof/bag.json")
        facts = parsed(data, "data/proof/bag.json")
        need(data == json.dumps(facts, indent=2).encode() + b"\n", "data/proof/bag.json is not in its one form")
        need(isinstance(facts, dict) and facts.get("format") == FORMAT, "data/proof/bag.json is of another format")
        need(isinstance(facts.get("account"), str), "data/proof/bag.json names no account")
        self.account, load, before = facts["account"], Load(bag), None
        bag.check(self.read_heads)
        waiting = self.lines("records")
        record = next(waiting, None)
        for block in self.lines("blocks"):
            check_block(self.account, block)
            if before:
                number = block["block"]
                need(number == before["block"] + 1, "block %d does not follow block %d" % (number, before["block"]))
                need(block["first"] == before["last"] + 1, "block %d leaves out a sequence" % number)
                need(block["previous"] == before["hash"], "block %d was not built on the block before it" % number)
            while record is not None and record.get("block") == block["block"]:
                bag.check(lambda record=record, block=block: self.record(record, block, load))
                last, record = count(record.get("sequence"), "a sequence"), next(waiting, None)
                need(record is None or count(record.get("sequence"), "a sequence") > last, "records out of order")
            if isinstance(self.outside, dict) and self.outside.get("block") == block["block"]:
                self.has_met_outside = True
                bag.check(lambda block=block: self.head("the head that you gave", self.outside, block))
            for name, head in self.heads.pop(block["block"], ()):
                bag.check(lambda name=name, head=head, block=block: self.head(name, head, block))
            before, self.blocks, self.last = block, self.blocks + 1, block["last"]
        need(record is None, "a record lies in no block of the bag")
        need(not self.heads, "a head is about a block that is not in the bag")
        counted = (facts.get("records"), facts.get("blocks"))
        need(counted == (self.records, self.blocks), "data/proof/bag.json counts other records or blocks")
        load.end()
        self.leftovers()

    def lines(self, what):
        name = "data/proof/%s.jsonl" % what
        for line in self.bag.lines(name):
            found = parsed(line, "a line of " + name)
            is_right = isinstance(found, dict) and json.dumps(found, separators=(",", ":")).encode() == line
            need(is_right, "a line of %s is no object in its one form" % name)
            yield found

    def record(self, record, block, load):
        """Check a record and its files."""
        self.records += 1
        subject = record.get("subject")
        need(subject is None or UUID.fullmatch(str(subject)), "a record has no usable subject")
        try:
            content = check_record(record, block, self.account)
        except Fault:
            load.skip()
            raise
        what = "record %d" % record["sequence"]
        if content is None:
            self.erased.add(record["sequence"])
        else:
            need(content.get("call_id", subject) == subject, what + " is about another call than its line says")
            if record["kind"] in {"disposal", "erasure"} and isinstance(content.get("records"), list):
                self.named.update(map(str, content["records"]))
        files, row = documents(record, content, self.bag)
        load.check([row[name] for name in COLUMNS])
        for name, right in files:
            self.expected.add(name)
            if name not in self.bag.files:
                self.bag.faults.append("%s is not there, and should be (%s)" % (name, what))
            elif self.bag.hash(name) != right:
                self.bag.faults.append("%s is not what was sealed as %s" % (name, what))

    def leftovers(self):
        """Name files that no record accounts for, and erased records that no erasure names."""
        self.expected |= {name for name in self.bag.files if HEAD.fullmatch(name)}
        strange = [one for one in self.bag.files if one not in (self.expected if one.startswith("data/") else TAGS)]
        self.bag.faults.extend("%s belongs to no record of the bag" % one for one in sorted(strange))
        self.bag.faults.extend("%s is not there" % one for one in sorted((TAGS | set(OWN)) - set(self.bag.files)))
        for one in sorted(self.erased):
            if str(one) not in self.named:
                self.bag.faults.append("record %d has no content, and no erasure or disposal in the bag names it" % one)

    # ---- heads: what was signed, and what the reader holds
    def read_heads(self):
        """Read the signed heads that lie in the bag."""
        for name in sorted(one for one in self.bag.files if HEAD.fullmatch(one) and one.endswith(".json")):
            data = self.bag.read(name)
            head = parsed(data, name)
            is_right = isinstance(head, dict) and data == json.dumps(head, indent=1).encode() + b"\n"
            need(is_right, name + " is no object in its one form")
            self.heads.setdefault(count(head.get("block"), name), []).append((name, head))
            token = name[:-5] + ".tsr"
            if token in self.bag.files:
                token_bytes = self.bag.read(token)
                is_about_it = sha(data) in token_bytes or hashlib.sha512(data).digest() in token_bytes
                need(is_about_it, token + " is a time stamp of something else than the head beside it")
                self.said.append("%s stamps that head; check who signed it: openssl ts -verify -in it" % token)

    def head(self, name, head, block):
        """Check that a head names this block and is signed."""
        need(set(head) == HEAD_FIELDS, name + " has other fields")
        said = [head["format"], head["account"], head["last_sequence"], head["sealed_at"]]
        need(said == [HEAD_FORMAT, self.account, block["last"], block["sealed_at"]], name + " is about something else")
        need(
            head.get("hash") == block["hash"],
            "%s: the chain was rewritten: block %d has another hash" % (name, block["block"]),
        )
        need(self.is_trusted(name, head), name + " is signed with another key than the one that you gave")
        self.covered = max(self.covered, block["last"])

    def is_trusted(self, name, head):
        """Check a head's signature; say whether its key is one that the reader trusts, or takes for now."""
        need(re.fullmatch("[0-9a-f]{64}", str(head.get("key"))), name + " names no key")
        need(re.fullmatch("[0-9a-f]{128}", str(head.get("signature"))), name + " is not signed")
        key, signature = bytes.fromhex(head["key"]), bytes.fromhex(head["signature"])
        need(is_signed(key, signature, head_message(head)), name + " was changed: its signature is wrong")
        self.keys.add(head["key"])
        return not self.trusted or key in self.trusted

    def export(self):
        """Check the record of the export itself: it seals the list of all files of data/."""
        data = self.bag.read("export.json")
        made = parsed(data, "export.json")
        need(data == json.dumps(made, indent=2).encode() + b"\n", "export.json is not in its one form")
        need(isinstance(made, dict) and isinstance(made.get("record"), dict) and isinstance(made.get("block"), dict),
             "export.json is not the proof of an export")  # fmt: skip
        block, record = made["block"], made["record"]
        check_block(self.account, block)
        content = check_record(record, block, self.account)
        need(content is not None and content["kind"] == "export", "export.json is not the record of an export")
        need(isinstance(content.get("files"), dict), "export.json seals no list of files")
        for name in SEALED_TAGS:
            need(name in self.bag.files, name + " is not there")
            need(content["files"].get(name) == self.bag.hash(name), "%s is not the one that was exported" % name)
        self.exported = "sequence %d, block %d with hash %s" % (record["sequence"], block["block"], block["hash"])
        if made.get("head") is not None:
            head = made["head"]
            need(
                isinstance(head, dict) and head.get("block") == block["block"],
                "export.json: its head is about another block",
            )
            before = self.covered
            self.head("export.json", head, block)
            self.covered, self.is_signed = before, True

    def unsigned(self):
        """Return what the reader's key says nothing about: whoever wrote it could have left out or added what he liked."""
        if not self.keys:
            return ["nothing in the bag is signed, so the key that you gave proves nothing"]
        faults = []
        if not self.is_signed:
            faults.append("the list of files is not signed by the key that you gave: some could have been left out")
        if self.records and self.covered < self.last:
            faults.append("records from %d on lie behind the last head of the key that you gave" % (self.covered + 1))
        return faults

    def verdict(self):
        """Return what is proven, in plain words."""
        said, keys = [], sorted(self.keys)
        said.append("every file has the hash that the manifests say, and none is missing or added")
        said.append("%d records are as they were sealed, in %d blocks without a gap" % (self.records, self.blocks))
        said.append("each call, transcript, recording and row of the load files is what its record seals")
        if self.erased:
            which = ", ".join(map(str, sorted(self.erased)[:20])) + (" ..." if len(self.erased) > 20 else "")
            said.append("%d of them were erased under a sealed erasure or disposal; their place is proven, their content "
                        "is gone: %s" % (len(self.erased), which))  # fmt: skip
        if self.covered:
            said.append("records up to %d lie below a signed head" % self.covered)
        if self.records and self.covered < self.last:
            said.append(
                "NOT covered by a head: records from %d on; who rewrote all of them would not be found"
                % (self.covered + 1)
            )
        if self.is_signed:
            said.append("the list of the bag's files was signed when it was made: nothing was left out or added since")
        else:
            said.append("the list of files is sealed, but not signed: ask the archive's owner whether its chain has %s"
                        % self.exported)  # fmt: skip
        if keys and not self.trusted:
            said += ["NOT checked: whose key this is. Compare it with the one that the archive's owner published:"]
            said += ["    " + shown(key) for key in keys]
        elif keys:
            said.append("all signatures are by the key that you gave")
        said.append("not proven by any bag: that the source told the truth, and that the selection is complete")
        return said + self.said


def head_message(head):
    """Return the bytes that a head's signature is about."""
    return json.dumps(
        {name: value for name, value in head.items() if name != "signature"},
        sort_keys=True, separators=(",", ":"), ensure_ascii=False,
    ).encode()  # fmt: skip


def public_key(text):
    """Return the 32 bytes of a key that the reader gave."""
    key = bytes.fromhex(text) if re.fullmatch("[0-9a-fA-F]{64}", text) else b""
    if len(key) != 32 or _point(key) is None:
        raise Unusable("--key is no public key: expected the 64 hexadecimal digits that the archive's owner published")
    return key


def verify(folder, key=None, outside=None):
    """Verify a bag; return (faults, what is proven)."""
    keys, bag = set() if key is None else {public_key(key)}, Bag(folder)
    bag.walk()
    if "bagit.txt" not in bag.files or "data/proof/bag.json" not in bag.files:
        raise Unusable("%s is no bag of a compliance archive" % shown(folder))
    found = Verification(bag, keys, outside)
    bag.check(
        lambda: check_bag(bag),
        lambda: check_manifest(bag, "tagmanifest-sha256.txt", False),
        lambda: check_manifest(bag, "manifest-sha256.txt", True),
        found.chain,
        found.export,
    )
    if keys:
        bag.faults.extend(found.unsigned())
    if outside is not None and not found.has_met_outside:
        bag.faults.append("the head that you gave is about a block that is not in the bag (or no head at all)")
    return bag.faults, [] if bag.faults else found.verdict()


def main(arguments=None):
    options = argparse.ArgumentParser(description="Verify a bag of the compliance archive, offline.")
    options.add_argument("folder", metavar="DIR")
    options.add_argument("--key", metavar="HEX", help="the archive's public key, as its owner published it")
    options.add_argument("--head", metavar="FILE", help="a signed head that you kept yourself")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args(arguments)
    try:
        outside = None
        if chosen.head:
            with open(chosen.head, "rb") as file:
                outside = parsed(file.read(2**20), "the head that you gave")
        faults, proven = verify(chosen.folder, chosen.key, outside)
    except (Unusable, Fault, OSError) as error:
        print("nothing was verified: %s" % shown(error), file=sys.stderr)
        return 2
    lines = ["FAULT  %s" % shown(fault) for fault in faults] + ["ok     %s" % line for line in proven]
    lines.append("NOT WHOLE: %d faults" % len(faults) if faults else "WHOLE: nothing is wrong with this bag")
    if chosen.json:
        lines = [json.dumps({"whole": not faults, "faults": faults, "proven": proven})]
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:  # the reader wants no more lines; Python's own last flush must not fail either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
