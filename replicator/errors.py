"""All errors of this program, as one tree of classes.

Only this module and safe_text, which makes its texts safe to show, may be imported by every other module.

    ReplicatorError
    ├── ConfigurationError        the operator's: a setting, an option, a file       exit 2
    ├── SourceError               the source's answer, or its absence
    │   ├── AccessRefused         401 BadKey · 402 PaymentRequired · 403 Forbidden   exit 3
    │   ├── RateLimited           429; carries when to go on
    │   ├── NotFound              404
    │   ├── RequestRefused        400, 422 and other 4xx: the request itself is wrong
    │   ├── NotTheApi             something answers, but not the Truedy API          exit 2
    │   ├── AnotherSource         the Truedy API, but not the account that is stored   exit 2
    │   ├── AnotherAccount        its calls are stored under another account's name    exit 2
    │   ├── UnreadableAnswer      the API answered 2xx with what cannot be read
    │   └── SourceUnavailable     5xx, timeouts, refused and cut connections         exit 1
    ├── DatabaseError             exit 4
    │   ├── DatabaseUnavailable · SchemaTooOld · SchemaTooNew · RightMissing · ForeignChange · StatementDefect
    │   ├── ForeignObjects        objects of other users are in the way
    │   ├── ReportingUnusable     a setting of the reports cannot be used              exit 2
    │   ├── DatabaseMisconfigured  what DATABASE_URL names is refused there           exit 2
    │   └── LeaseHeld · LeaseLost · CommitsLost                                      exit 1
    ├── UnknownCall               asked for by its id, and not stored                exit 1
    ├── OutputFailed              a file or standard output takes no more            exit 1
    ├── UnfitValue                a value that the chosen file format cannot hold    exit 1
    └── Incomplete                the run ended before its work was done             exit 1
        └── Stopped · BoundReached · NeverSynced    by a signal; by an option; nothing is there yet

Each class states whose fault it is, whether waiting helps and what the operator should do. A message never holds a
payload, a phone number, a transcript, a signed URL or a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from replicator.safe_text import shown, shown_lines

if TYPE_CHECKING:
    from datetime import datetime


class ReplicatorError(Exception):
    """An error that this program knows; every other exception is a defect."""

    fault: ClassVar[str] = "this program"
    waiting_helps: ClassVar[bool] = False
    advice: ClassVar[str] = ""
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        self.message = shown(message)
        self.hint = shown_lines(self.advice if advice is None else advice)
        super().__init__(self.message)

    def explain(self) -> str:
        """Return what happened, whose fault it is, whether waiting helps and what to do, in a few lines."""
        waiting = "waiting helps" if self.waiting_helps else "waiting does not help"
        lines = [self.message, f"at fault: {self.fault}; {waiting}."]
        if self.hint:
            lines.append(f"what to do: {self.hint}")
        return "\n".join(lines)


class ConfigurationError(ReplicatorError):
    """A setting or an option is missing or wrong."""

    fault = "the configuration"
    exit_code = 2


class SourceError(ReplicatorError):
    """The source answered with an error, or not at all."""

    fault = "the source"

    def __init__(
        self,
        message: str,
        *,
        advice: str | None = None,
        status: int | None = None,
        code: str | None = None,
        server_time: datetime | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.code = code
        self.server_time = server_time


class AccessRefused(SourceError):
    """The source understands the request and refuses it for this key."""

    fault = "the account or the key"
    exit_code = 3


class BadKey(AccessRefused):
    """401: the key is unknown."""

    advice = "check TRUEDY_API_KEY (or TRUEDY_API_KEY_FILE) and TRUEDY_BASE_URL"


class PaymentRequired(AccessRefused):
    """402: no credits, or no active subscription."""

    waiting_helps = True
    advice = "settle the account's subscription or credits with the vendor; syncing goes on by itself afterwards"


class Forbidden(AccessRefused):
    """403: the key is known and may not do this, for example from this address."""

    advice = "check the key's rights and the allowed IP addresses in the vendor's dashboard"


class RateLimited(SourceError):
    """429: the window's requests are used up. `reset_at` says when to continue (server time), `limit` how many are
    allowed.
    """

    waiting_helps = True
    advice = "nothing: the replicator waits for the window's end by itself"

    def __init__(
        self,
        message: str,
        *,
        reset_at: datetime | None = None,
        limit: int | None = None,
        retry_after_seconds: float | None = None,
        status: int | None = 429,
        code: str | None = None,
        server_time: datetime | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, server_time=server_time)
        self.reset_at = reset_at
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


class NotFound(SourceError):
    """404: not there, or not there yet."""

    waiting_helps = True


class RequestRefused(SourceError):
    """400, 422 and other 4xx: the request itself is wrong."""

    fault = "the request"


class NotTheApi(SourceError):
    """Something answers at the base URL, but it is not the Truedy API."""

    fault = "the configuration"
    advice = "check TRUEDY_BASE_URL: it goes up to and including /api/public/v1"
    exit_code = 2


class AnotherSource(SourceError):
    """The API answers, but it knows none of the stored calls of this account."""

    fault = "the configuration"
    advice = (
        "check TRUEDY_API_KEY and TRUEDY_BASE_URL; nothing was written. For another account set REPLICATOR_ACCOUNT (or use "
        "another database); if it is the same account and those calls were deleted, run: replicator sync --same-account"
    )
    exit_code = 2


class AnotherAccount(SourceError):
    """The source shows calls that are stored in another account; none of them was written."""

    fault = "the configuration"
    exit_code = 2

    def __init__(self, stored: str, asked: str) -> None:
        super().__init__(
            f"the calls of this source are stored under the account {stored}, and this run is for the account {asked}; "
            "nothing was written",
            advice=f"set REPLICATOR_ACCOUNT={stored}; or, to give the account its new name, run: "
            f"replicator accounts rename {stored} {asked}",
        )


class UnreadableAnswer(SourceError):
    """The API answered 2xx, but the body as a whole cannot be read."""

    waiting_helps = True
    advice = "if it goes on, report it to the vendor; everything readable is stored"


class SourceUnavailable(SourceError):
    """5xx, a timeout, or a connection refused or cut."""

    waiting_helps = True
    advice = "check the network and TRUEDY_BASE_URL; if they are right, try again later: nothing is lost"


class DatabaseError(ReplicatorError):
    """The database is not usable."""

    fault = "the database"
    exit_code = 4


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached, refuses the connection, or went away."""

    waiting_helps = True
    advice = "check DATABASE_URL, and that the server runs and lets this user in"


class DatabaseMisconfigured(DatabaseError):
    """A value of DATABASE_URL or libpq's variables is refused: no such database or role, a wrong password, no TLS."""

    fault = "the configuration"
    advice = "correct DATABASE_URL, or the server"
    exit_code = 2


class ForeignChange(DatabaseError):
    """A user changed or dropped an object of ours in the database, or an object of a user is in the way."""

    fault = "whoever changed the database"
    advice = "undo the change; a table that was dropped comes back from a backup"


class StatementDefect(DatabaseError):
    """The database refuses a statement for a reason that only this program can have caused."""

    fault = "this program"
    advice = "report this with the code; the server's log has the details"


class SchemaTooOld(DatabaseError):
    """The database has an older schema than this program needs."""

    fault = "the operator"
    advice = "run: replicator migrate"


class SchemaTooNew(DatabaseError):
    """The database was migrated by a newer program than this one."""

    fault = "the operator"
    advice = "install the newer release of the replicator, or use the database that belongs to this one"


class ForeignObjects(DatabaseError):
    """Other users' objects are where ours would be made, or depend on ours; nothing was changed."""

    fault = "nobody"


class ReportingUnusable(DatabaseError):
    """A setting in replicator.reporting that this server cannot use: no report can be made, calls are still copied."""

    fault = "the operator"
    exit_code = 2
    advice = (
        "SELECT time_zone FROM replicator.reporting; then, as the owner: UPDATE replicator.reporting SET time_zone = a name that "
        "SELECT name FROM pg_timezone_names lists, or install the server's time zone data. Calls are copied meanwhile, and "
        "every report is right afterwards"
    )


class RightMissing(DatabaseError):
    """The user lacks a right; the advice says which, or who has it."""

    fault = "the user's rights"


class LeaseHeld(DatabaseError):
    """Another process is writing to this database."""

    fault = "nobody"
    waiting_helps = True
    advice = "let the other process work, or stop it; a dead holder's lease frees itself"
    exit_code = 1


class LeaseLost(DatabaseError):
    """Another process took over while this one did not renew its lease; this one writes nothing more."""

    fault = "nobody"
    waiting_helps = True
    advice = "nothing, if another replicator is running; else start this one again"
    exit_code = 1


class CommitsLost(LeaseLost):
    """The database lost what this run has committed: a standby that was behind took over, or a copy was restored."""

    advice = "nothing: the next sync goes on from what the database holds, and asks again for what it lost"


class AuthorityUnavailable(ReplicatorError):
    """A time-stamping authority gave no token."""

    fault = "the time-stamping authority"
    waiting_helps = True
    advice = "the head is kept, and its token is asked for later"


class UnknownCall(ReplicatorError):
    """A call that was asked for by its id is not stored."""

    fault = "the operator"
    advice = "check the id; a call that was just created is here after the next sync"


class OutputFailed(ReplicatorError):
    """A file could not be written: no room, or a disk that fails."""

    fault = "this machine's disk"
    advice = "choose another folder; no partial file is left"


class UnfitValue(ReplicatorError):
    """A value that the chosen file format cannot hold, where omitting or rounding it would falsify the data."""

    fault = "the format"
    advice = "export CSV, which holds every value, or leave the column out with --columns"


class Incomplete(ReplicatorError):
    """The run ended before its work was done."""

    fault = "the source"
    waiting_helps = True


class Stopped(Incomplete):
    """A signal ended the run (Ctrl-C, SIGTERM): no part of the system failed."""

    fault = "nobody: it was stopped from outside"
    waiting_helps = False
    advice = "start it again"


class BoundReached(Incomplete):
    """The run used up what an option allowed before its work was done."""

    fault = "the command line"
    waiting_helps = False
    advice = "allow more"


class NeverSynced(Incomplete):
    """There is nothing to work on: nothing was synced into this database yet."""

    fault = "the operator"
    waiting_helps = False
    advice = "run: replicator sync"
