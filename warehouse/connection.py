"""How to reach one PostgreSQL database, in every form that a library here asks for."""

import getpass
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from warehouse.errors import UserError
from warehouse.roles import LIMITS

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT = 10  # seconds; libpq waits for ever by default

PARAMETERS: Mapping[str, str] = {
    "application_name": "p2p",
    "client_encoding": "UTF8",
    "connect_timeout": str(CONNECT_TIMEOUT),
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""What libpq is asked for on every connection, seconds or, the last, milliseconds. A peer that is
gone without a word is noticed within a minute, where the kernel's defaults take two hours."""

SESSION: Mapping[str, str] = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "search_path": '"$user",public',
    "standard_conforming_strings": "on",
    "tcp_keepalives_count": "3",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
}
"""What the server is asked for on every connection, whatever it, the database or the role says:
nothing that is read, stored or printed may depend on that. All names here are qualified."""

CLOCK: Mapping[str, str] = {"PGDATESTYLE": "ISO", "PGTZ": "UTC"}
"""Of the same kind, but no parameter of libpq: it reads them from the environment alone, and a
pooler keeps them for each of its clients."""

# psycopg2, below dbt, takes of libpq's parameters what dbt passes on: the rest it finds here.
_SERVICE_FILE = Path(__file__).with_name("pg_service.conf")

# Options of a URL that libpq also reads from the environment: dbt-postgres passes only some of
# them on, and psycopg2 below it picks the rest up from there.
_LIBPQ_VARIABLES = {
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_SHAPE = "postgresql://user:password@host:port/database"


@dataclass(frozen=True)
class Warehouse:
    """One PostgreSQL database and how to log in to it. Its repr shows no password.

    `host` is a name, an address, or the folder of a Unix socket. `options` are whatever else
    stood in the URL's query, `sslrootcert` for one, and travel on in every form.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    sslmode: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    roles: frozenset[str] = frozenset()
    """Which roles of `p2p init` this login may act as; none where it was never run."""
    role_prefix: str = ""
    """What stands before their names in this database server."""
    pooler_of: str | None = None
    """The server, where `host` is a pooler before it, which lends a connection for a transaction:
    no setting of a session lasts there, and none can be asked for at its start."""
    session: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """What the server is asked for beside `SESSION`."""

    @classmethod
    def from_url(cls, url: str) -> "Warehouse":
        """Read a URL as libpq would, with TLS required unless the host is this machine.

        A database behind a network gets `sslmode=require` when the URL names no mode, since
        libpq's own default, `prefer`, silently goes on in clear text.

        Raises:
            UserError: it is no URL of a PostgreSQL database. The line does not repeat the URL.
        """
        refusal = UserError(f"DATABASE_URL is not understood: it must be {_SHAPE}.")
        try:
            parts = urlsplit(url.strip())
            port = parts.port
            # As libpq does, which takes a plus for a plus.
            words = [word.partition("=") for word in parts.query.split("&") if word]
            query = {unquote(name): unquote(value) for name, _, value in words}
        except ValueError:
            raise refusal from None
        if not re.fullmatch(r"postgres(ql)?(\+\w+)?", parts.scheme) or "\0" in unquote(url):
            raise refusal
        if not all(mark for _, mark, _ in words):
            raise refusal
        if parts.fragment or "/" in parts.path.removeprefix("/"):
            # An unescaped '#' or '/' in a password cuts the URL short; a guess would connect
            # to somewhere else.
            raise UserError(
                f"DATABASE_URL is not understood: it must be {_SHAPE}, with %23 for # and "
                "%2F for / in a password."
            )
        host = query.pop("host", "") or _host_of(parts.netloc)
        user = query.pop("user", "") or unquote(parts.username or "") or getpass.getuser()
        given_port = query.pop("port", "")
        if given_port and not re.fullmatch(r"\d{1,5}", given_port):
            raise refusal
        return cls(
            host=host or "localhost",
            port=int(given_port or port or 5432),
            user=user,
            # Several libraries insist on a password even where the server asks for none.
            password=query.pop("password", "") or unquote(parts.password or "") or "x",
            database=query.pop("dbname", "") or unquote(parts.path.removeprefix("/")) or user,
            sslmode=query.pop("sslmode", "") or ("prefer" if is_local(host) else "require"),
            options=query,
        )

    @property
    def url(self) -> str:
        """The URL that this is read from again, by us or anything else that takes one.

        A socket goes into the query beside a host that nobody asks, since some refuse a URL
        without one.
        """
        query = {"sslmode": self.sslmode, **self.options}
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.host.startswith("/"):
            host, query = "localhost", {"host": self.host, **self.options}
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        place = f"{host}:{self.port}/{quote(self.database, safe='')}"
        return f"postgresql://{login}@{place}?{urlencode(query, quote_via=quote, safe='/')}"

    @property
    def parameters(self) -> dict[str, str]:
        """Each of libpq's parameters by its name, which need no escapes; holds the password."""
        asked = {} if self.pooler_of is not None else {**SESSION, **self.session}
        words = [f"-c {name}={_as_word(value)}" for name, value in asked.items()]
        return {
            **PARAMETERS,
            **self.options,
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "sslmode": self.sslmode,
            # The user's own come last, and win.
            "options": " ".join([*words, self.options.get("options", "")]).strip(),
        }

    @property
    def conninfo(self) -> str:
        """`parameters` as the one text that any library above libpq takes; holds the password."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(**self.parameters)

    def acting_as(self, role: str) -> "Warehouse":
        """The same database as `role`, with its limits; as it is where that is none of `roles`.

        What is made then belongs to the role, so that others may read it whoever has logged in.

        Raises:
            UserError: there is a pooler before the server, and another has logged in.
        """
        if role not in self.roles:
            return self
        name = f"{self.role_prefix}{role}"
        if self.pooler_of is None:
            acting = self.with_session(**{"role": name, **LIMITS[role]})
            return replace(acting, roles=frozenset())
        if self.user == name:  # whose limits `p2p init` has given to the role itself
            return self
        raise UserError(
            f"DATABASE_URL: {self.host}:{self.port} is a pooler, through which {self.user} cannot "
            f"act as {name}: name the server itself ({self.pooler_of}), or log in as {name}."
        )

    def with_session(self, **settings: str) -> "Warehouse":
        """The same with these settings of the server's, where no pooler is before it."""
        return replace(self, session={**self.session, **settings})

    def connect(self, **kwargs: Any) -> "psycopg.Connection[tuple[Any, ...]]":
        """A new connection of psycopg's; `kwargs` are its own and win over the defaults.

        Raises:
            psycopg.OperationalError: the server does not answer or does not let us in.
        """
        import psycopg

        # What one transaction has prepared another, behind a pooler, may not have, or have twice.
        return psycopg.connect(**{"prepare_threshold": None, **self.parameters, **kwargs})

    def environment(self) -> dict[str, str]:
        """The variables that `profiles.yml` reads, for a dbt that runs in this process or below.

        What a dbt profile has no place for goes into libpq's own variables.
        """
        parameters = self.parameters
        return {
            "P2P_PG_HOST": self.host,
            "P2P_PG_PORT": str(self.port),
            "P2P_PG_USER": self.user,
            "P2P_PG_PASSWORD": self.password,
            "P2P_PG_DATABASE": self.database,
            "P2P_PG_SSLMODE": self.sslmode,
            "PGOPTIONS": parameters["options"],
            "PGSERVICE": "p2p",
            "PGSERVICEFILE": str(_SERVICE_FILE),
            **CLOCK,
        } | {
            variable: self.options[option]
            for option, variable in _LIBPQ_VARIABLES.items()
            if option in self.options
        }


def _as_word(value: str) -> str:
    """A value as one word of `options`."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def _host_of(netloc: str) -> str:
    """The host as written: `urlsplit(...).hostname` would put a socket's folder in lower case."""
    host = netloc.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return unquote(host.partition(":")[0])


def is_local(host: str) -> bool:
    """Whether `host` is this machine: a socket, `localhost` or a loopback address."""
    if not host or host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
