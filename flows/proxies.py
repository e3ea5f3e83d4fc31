"""Proxies, as the environment names them: never on the way to this machine itself."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from warehouse.errors import UserError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_VARIABLES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


def spare_loopback() -> None:
    """Have this process, and those that it starts, reach this machine without a proxy.

    Prefect's own server is here, and a simulated exchange. Of the two spellings libraries take the
    one or the other.
    """
    given = [os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    hosts = [host.strip() for host in ",".join(given).split(",") if host.strip()]
    if "*" not in hosts:
        spared = ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))
        os.environ.update(no_proxy=spared, NO_PROXY=spared)


def require_usable() -> None:
    """Refuse a proxy that cannot be used, before a library fails at it.

    Raises:
        UserError: it is a SOCKS proxy, or its address is none.
    """
    for name in (*_VARIABLES, *map(str.lower, _VARIABLES)):
        address = os.environ.get(name, "")
        if not address:
            continue
        if address.lower().startswith("socks"):
            raise UserError(
                f"{name} names a SOCKS proxy, which cannot be used here: name an HTTP proxy "
                "(http://host:port), or unset it."
            )
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            is_usable &= parts.port != 0  # asking for the port checks it
        except ValueError:
            is_usable = False
        if not is_usable:
            raise UserError(f"{name} is not understood: it must be http://host:port.")
