"""Maps PostgreSQL's error codes to what happened, whose fault it is, and what to do. Data, no logic.

The server's own text may quote a row or a part of DATABASE_URL, and is in the server's language, so it is never passed
on. A code in neither table can only be caused by a statement of ours: it is a defect, which only then the user is asked
to report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replicator.errors import (
    DatabaseError,
    DatabaseMisconfigured,
    DatabaseUnavailable,
    ForeignChange,
    ReportingUnusable,
    RightMissing,
    StatementDefect,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Meaning:
    """One kind of failure. The class `kind` says whose fault it is and whether waiting helps; in a message, `what`
    follows the place.
    """

    kind: type[DatabaseError]
    what: str
    advice: str | None = None
    """What to do; None where the error class says it."""


AWAY, WRONG, THEIRS = DatabaseUnavailable, DatabaseMisconfigured, ForeignChange
NOTHING: Final = "nothing: `serve` goes on by itself, `sync` when it is started again; nothing is lost"
NEW_DATABASE: Final = "make another database: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
LOGGED: Final = "look into the server's log, or ask its administrator"
OTHER_OBJECTS: Final = (
    "run: replicator migrate. If it remains, an object of ours was dropped or altered: undo that, or restore a backup"
)
OWN_RULES: Final = (
    "remove constraints, triggers and rules of your own from the tables in truedy, replicator, rollup, archive and "
    "billing; if there are none, report this with the code"
)

DAMAGED: Final = Meaning(
    DatabaseError,
    "has damaged files",
    "stop writing to it and restore a backup, or have its administrator look at it (pg_amcheck): the server's disk or "
    "memory is at fault",
)
DEFECT: Final = Meaning(StatementDefect, "refused a statement")

STATES: Final[Mapping[str, Meaning]] = {
    "0A000": Meaning(
        DatabaseError,
        "cannot do what a statement asks for",
        "the server must be PostgreSQL 15 or later itself, not one that resembles it; if it is, start this program again",
    ),
    "0P000": Meaning(WRONG, "knows no role of a name that is set", "check REPLICATOR_ROLE_PREFIX, and the role's settings"),
    "21000": Meaning(THEIRS, "has several rows where there must be one", OTHER_OBJECTS),
    "22021": Meaning(
        WRONG, "cannot hold a character: its encoding is not UTF8, or not what it seems", f"if so, {NEW_DATABASE}"
    ),
    "22P05": Meaning(WRONG, "cannot hold a character: its encoding is not UTF8", NEW_DATABASE),
    # Of all values that are sent, only a setting that users make can be invalid.
    "22023": Meaning(
        ReportingUnusable,
        "cannot use a setting of the reports: replicator.reporting.time_zone is, most likely, a zone that it does not know",
    ),
    "25006": Meaning(
        AWAY,
        "takes no writes now: it is read-only",
        "nothing, if this passes: providers do it to a server whose disk is full, and a standby does it always. Else connect to "
        "the primary (several hosts with target_session_attrs=read-write), or RESET default_transaction_read_only",
    ),
    "25P03": Meaning(
        AWAY, "ended a transaction that was idle", "raise this user's idle_in_transaction_session_timeout"
    ),
    "25P04": Meaning(AWAY, "ended a transaction that took too long", "raise this user's transaction_timeout"),
    "28P01": Meaning(
        WRONG,
        "refuses the password of this user",
        "correct it in DATABASE_URL (special characters as %40 and so on) and start again; from a password file or a service "
        "file a new one is read by itself",
    ),
    "2BP01": Meaning(
        THEIRS,
        "has something of somebody else's that stands on an object of ours",
        "drop it, or build it on the views of schema analytics by another name, and run: replicator migrate",
    ),
    "3D000": Meaning(WRONG, "does not exist on this server", "correct the database's name in DATABASE_URL, or create it"),
    "3F000": Meaning(THEIRS, "lacks a schema that a statement needs", OTHER_OBJECTS),
    "40001": Meaning(
        AWAY, "ended a transaction in favour of another one", "nothing: it is tried again. On a standby, raise max_standby_streaming_delay"
    ),
    "40P01": Meaning(AWAY, "ended a transaction that others waited for, and that waited for them", NOTHING),
    "42501": Meaning(
        RightMissing,
        "refuses this user",
        "run the command as a member of the role that has the right: truedy_writer for sync, status, report and most others, "
        "truedy_archivist to erase, hold and export evidence, truedy_owner for migrate (docs/operations.md lists all; "
        "REPLICATOR_ROLE_PREFIX changes the first word). A member of "
        "truedy_reader reads the views: with `replicator export`, `replicator psql` or a BI tool",
    ),
    "42703": Meaning(THEIRS, "lacks a column that a statement needs", OTHER_OBJECTS),
    "42704": Meaning(THEIRS, "lacks an object that a statement needs", OTHER_OBJECTS),
    "42883": Meaning(THEIRS, "lacks a function that a statement needs", OTHER_OBJECTS),
    "42P01": Meaning(THEIRS, "lacks a table or view that a statement needs", OTHER_OBJECTS),
    "42P06": Meaning(THEIRS, "has a schema of somebody else's under a name of ours", OTHER_OBJECTS),
    "42P07": Meaning(THEIRS, "has a table or view of somebody else's under a name of ours", OTHER_OBJECTS),
    "42710": Meaning(THEIRS, "has an object of somebody else's under a name of ours", OTHER_OBJECTS),
    "42723": Meaning(THEIRS, "has a function of somebody else's under a name of ours", OTHER_OBJECTS),
    "42809": Meaning(THEIRS, "has something of another kind under a name of ours", OTHER_OBJECTS),
    "53100": Meaning(
        AWAY,
        "has no disk space left",
        "free space where the server keeps its data and its log; nothing is lost, and syncing goes on from there",
    ),
    "53200": Meaning(
        AWAY, "is out of memory", "give the server more, or lower its work_mem, max_connections and shared_buffers"
    ),
    "53300": Meaning(
        AWAY,
        "has no connection left for this user",
        "close idle sessions, raise max_connections (or the limit of the role or the database), or put a pooler in front; this "
        "program usually needs up to six, and never more than fourteen",
    ),
    "54000": Meaning(
        THEIRS,
        "has an index or a limit that a value is too large for",
        "drop indexes of your own on the tables in truedy (on text, use a hash of it or left(...)); if there are none, "
        "report this with the code",
    ),
    "54001": Meaning(DatabaseError, "has too small a stack for a statement", "raise the server's max_stack_depth"),
    "55000": Meaning(
        THEIRS,
        "does not allow a change of a table in its present state",
        "if the table is in a publication, give it a replica identity: ALTER TABLE ... REPLICA IDENTITY ...",
    ),
    "55006": Meaning(AWAY, "has an object in use by another session", "end that session, or wait for it"),
    "55P03": Meaning(AWAY, "kept a lock for more than 30 s", "end the session that holds the lock, or wait for it"),
    "57014": Meaning(
        AWAY,
        "cancelled a statement",
        "raise this user's statement_timeout, if it has one; else an administrator cancelled it",
    ),
    "57P03": Meaning(AWAY, "is starting, stopping or recovering", NOTHING),
    "57P04": Meaning(WRONG, "was dropped", "restore it, or correct DATABASE_URL"),
    "57P05": Meaning(AWAY, "ended a session that was idle", "nothing: the next statement connects anew"),
    "72000": Meaning(AWAY, "no longer has the rows that a long statement needs", "raise old_snapshot_threshold, or try again"),
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}  # fmt: skip
"""{code: meaning}."""


CLASSES: Final[Mapping[str, Meaning]] = {
    "08": Meaning(AWAY, "ended the connection", NOTHING),
    "09": Meaning(THEIRS, "refused a row by a trigger", OWN_RULES),
    "0L": Meaning(RightMissing, "does not let this user grant that", "have the owner of the object do it"),
    "23": Meaning(THEIRS, "refused a row by a constraint", OWN_RULES),
    "27": Meaning(THEIRS, "refused a row by a trigger", OWN_RULES),
    "28": Meaning(
        WRONG,
        "does not let this user in",
        "check user and password in DATABASE_URL, that the role may log in, and the server's pg_hba.conf",
    ),
    "38": Meaning(THEIRS, "has a function of somebody else's that failed", OWN_RULES),
    "39": Meaning(THEIRS, "has a function of somebody else's that failed", OWN_RULES),
    "40": Meaning(AWAY, "ended a transaction", NOTHING),
    "44": Meaning(THEIRS, "refused a row by a view's check", OWN_RULES),
    "53": Meaning(AWAY, "is out of resources", "free disk or memory of the server"),
    "54": Meaning(DatabaseError, "has a limit that a statement exceeds", LOGGED),
    "55": Meaning(AWAY, "has an object that is not ready", LOGGED),
    "57": Meaning(AWAY, "ended the connection", NOTHING),
    "58": Meaning(
        DatabaseError,
        "cannot read or write its own files",
        "look into the server's log: a disk that fails or is full, or files that somebody moved",
    ),
    "F0": Meaning(DatabaseError, "has an error in its configuration", LOGGED),
    "HV": Meaning(THEIRS, "has a foreign table that failed", OWN_RULES),
    "P0": Meaning(THEIRS, "refused a statement by a trigger or function of somebody else's", OWN_RULES),
    "XX": Meaning(DatabaseError, "met an error of its own", LOGGED),
}
"""{first two characters of the code: meaning}, for codes that STATES does not have."""

SHARED_MEMORY: Final = Meaning(
    AWAY,
    "has too little shared memory for a parallel query",
    "nothing: this program goes on without parallel queries. For everybody, give the server more (docker run --shm-size=256m), "
    "or set max_parallel_workers_per_gather = 0",
)
"""53100 and 53200 where /dev/shm is too small: then no disk is full."""


def meaning(code: str, routine: str = "") -> Meaning:
    """Return the meaning of a code. `routine` is the function of the server that raised the error, if the server named
    it.
    """
    if code.startswith("53") and routine.startswith("dsm_"):
        return SHARED_MEMORY
    return STATES.get(code) or CLASSES.get(code[:2]) or DEFECT
