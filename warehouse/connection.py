"""How to reach one PostgreSQL database, in every form that a library here asks for."""

import getpass
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from warehouse.errors import UserError
from warehouse.roles import LIMITS

if TYPE_CHECKING:
    import psycopg

APPLICATION_NAME = "p2p"
CONNECT_TIMEOUT = 10  # seconds; libpq waits for ever by default

# Options of a URL that libpq also reads from the environment: dbt-postgres passes only some of
# them on, and psycopg2 below it picks the rest up from there.
_LIBPQ_VARIABLES = {
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "options": "PGOPTIONS",
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
    stood in the URL's query, `sslrootcert` for one, and travel on in `url` and `connect`.
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
            query = dict(
                parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
                if parts.query
                else ()
            )
        except ValueError:
            raise refusal from None
        if not re.fullmatch(r"postgres(ql)?(\+\w+)?", parts.scheme) or "\0" in unquote(url):
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
        if "options" in query:  # any white space parts the words of it, and `url` writes tabs
            query["options"] = re.sub(r"(?<!\\)\t", " ", query["options"])
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
        """The URL that psycopg and dlt take, and SQLAlchemy after a swap of its scheme.

        A socket goes into the query beside a host that nobody asks: dlt and Great Expectations
        refuse a URL without one.
        """
        # dlt writes the address anew with + for a space, which libpq takes for a plus: the words of
        # `options` stand a tab apart.
        options = {
            name: re.sub(r"(?<!\\) ", "\t", value) if name == "options" else value
            for name, value in self.options.items()
        }
        query = {"sslmode": self.sslmode, **options}
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.host.startswith("/"):
            host, query = "localhost", {"host": self.host, **options}
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        place = f"{host}:{self.port}/{quote(self.database, safe='')}"
        return f"postgresql://{login}@{place}?{urlencode(query, quote_via=quote, safe='/')}"

    def acting_as(self, role: str) -> "Warehouse":
        """The same database as `role`, with its limits; as it is where that is none of `roles`.

        What is made then belongs to the role, so that others may read it whoever has logged in.
        """
        if role not in self.roles:
            return self
        said = [f"-c {name}={value}" for name, value in {"role": role, **LIMITS[role]}.items()]
        words = " ".join([*said, self.options.get("options", "")]).strip()
        return replace(self, options={**self.options, "options": words}, roles=frozenset())

    def connect(self, **kwargs: Any) -> "psycopg.Connection[tuple[Any, ...]]":
        """A new connection of psycopg's; `kwargs` are its own and win over the defaults.

        Raises:
            psycopg.OperationalError: the server does not answer or does not let us in.
        """
        import psycopg

        arguments: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": APPLICATION_NAME,
            **self.options,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
            "sslmode": self.sslmode,
        }
        return psycopg.connect(**(arguments | kwargs))

    def environment(self) -> dict[str, str]:
        """The variables that `profiles.yml` reads, for a dbt that runs in this process or below.

        Options that a dbt profile has no place for go into libpq's own variables.
        """
        return {
            "P2P_PG_HOST": self.host,
            "P2P_PG_PORT": str(self.port),
            "P2P_PG_USER": self.user,
            "P2P_PG_PASSWORD": self.password,
            "P2P_PG_DATABASE": self.database,
            "P2P_PG_SSLMODE": self.sslmode,
        } | {
            variable: self.options[option]
            for option, variable in _LIBPQ_VARIABLES.items()
            if option in self.options
        }


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
