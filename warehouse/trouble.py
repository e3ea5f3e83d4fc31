"""What a failed statement means: a value that cannot be kept, trouble that passes, or neither.

By the SQLSTATE, which psycopg, psycopg2 below dlt and dbt, and ADBC each name in their own way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import psycopg

from warehouse.errors import UserError
from warehouse.masking import quoted

# Chapter "PostgreSQL Error Codes" of its manual; the first two characters are the class.
_OF_THE_DATA = ("22", "23")
_PASSING = ("08", "25006", "40", "53", "55", "57", "58")

_ADVICE = {
    "08": "it cannot be reached; check that it runs, and the network",
    "25006": "it only reads now: it became a standby, or default_transaction_read_only was set",
    "28": "it lets this login in no more: see the user and the password",
    "42501": "this login may not do that any more: p2p init, as the owner, grants what is needed",
    "53100": "its disk is full: make room there",
    "53200": "it has no memory left for this: see its log",
    "53300": "it has no connection left for us, who need ten at most: see max_connections, and the "
    "limit of the role and the database",
    "55P03": "another session holds a lock for longer than lock_timeout: see pg_locks",
    "57014": "a statement took longer than statement_timeout, or somebody cancelled it",
    "57P": "it is being stopped or restarted",
}


class Kind(Enum):
    """What there is to do about a failure."""

    OF_THE_DATA = auto()
    """A value is at fault: it fails again whenever it is tried, and others do not."""
    PASSING = auto()
    """Nothing is wrong with what was to be written: it may be tried again."""
    LASTING = auto()
    """Somebody has to change something before it is tried again."""


def kind_of(failure: BaseException) -> Kind:
    """What there is to do about `failure`, by whatever lies below it.

    Without an SQLSTATE no server has spoken: it was not reached, or a library found fault with a
    value before it was sent.
    """
    code = sqlstate_of(failure)
    if code is None:
        unreached = any(_is_of_a_connection(error) for error in chain_of(failure))
        return Kind.PASSING if unreached else Kind.OF_THE_DATA
    if code.startswith(_OF_THE_DATA):
        return Kind.OF_THE_DATA
    return Kind.PASSING if code.startswith(_PASSING) else Kind.LASTING


def sqlstate_of(failure: BaseException) -> str | None:
    """The code that the server gave, or None where it said nothing."""
    for error in chain_of(failure):
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if isinstance(code, str) and code.strip("\0"):
            return code
    return None


def advice_on(failure: BaseException) -> str:
    """What a user can do about it, in a few words; what was said where there is no advice."""
    code = sqlstate_of(failure) or ("08" if kind_of(failure) is Kind.PASSING else "")
    longest_first = sorted(_ADVICE, key=len, reverse=True)
    found = next((mark for mark in longest_first if code.startswith(mark)), None)
    if found is not None:
        return _ADVICE[found]
    *_, root = chain_of(failure)
    said = quoted(str(root).strip().partition("\n")[0])
    return f"{said} ({code})" if code else said


@contextmanager
def trouble_in_one_line(what: str) -> Iterator[None]:
    """Say `what`, and what to do about it, where psycopg meets trouble that passes.

    Raises:
        UserError: it did.
    """
    try:
        yield
    except psycopg.Error as error:
        if kind_of(error) is not Kind.PASSING:
            raise
        raise UserError(f"DATABASE_URL: {what}: {advice_on(error)}.") from error


def chain_of(failure: BaseException) -> Iterator[BaseException]:
    """The failure, what it was raised from, and so on down to the first of all."""
    seen: set[int] = set()
    error: BaseException | None = failure
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_of_a_connection(error: BaseException) -> bool:
    """Whether a driver has no connection: each has a class of its own for that, alike by name."""
    return isinstance(error, ConnectionError) or type(error).__name__ == "OperationalError"
