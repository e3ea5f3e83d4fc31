"""Python imports this by itself where its folder is on PYTHONPATH.

At the end of each process it writes down, in the folder OVERHEARD, which hosts were asked for by
name and what each library says of its telemetry.
"""

import atexit
import json
import os
import sys
from pathlib import Path
from typing import Any

hosts: set[str] = set()


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        hosts.add(str(arguments[0]))


def _told() -> dict[str, bool]:
    """Of the libraries that are imported: whether they would send anything to their makers."""
    sends: dict[str, bool] = {}
    if "prefect" in sys.modules:
        from prefect._internal.analytics import is_telemetry_enabled
        from prefect.settings import get_current_settings

        sends["prefect"] = is_telemetry_enabled()
        sends["prefect server"] = get_current_settings().server.analytics_enabled
    if "dlt" in sys.modules:
        import dlt

        sends["dlt"] = bool(dlt.current.run_context().runtime_config.dlthub_telemetry)
    if "dbt.tracking" in sys.modules:
        from dbt import tracking
        from dbt.flags import get_flags

        user, flags = tracking.active_user, get_flags()  # type: ignore[no-untyped-call]  # dbt's own
        is_quiet = user is None or user.do_not_track
        sends["dbt"] = not is_quiet or bool(getattr(flags, "SEND_ANONYMOUS_USAGE_STATS", True))
    if "great_expectations" in sys.modules:
        sends["great_expectations"] = os.environ.get("GX_ANALYTICS_ENABLED") != "false"
    return sends


def _write() -> None:
    said = {"line": sys.orig_argv, "hosts": sorted(hosts), "sends": _told()}
    Path(os.environ["OVERHEARD"], f"{os.getpid()}.json").write_text(json.dumps(said))


if "OVERHEARD" in os.environ:
    sys.addaudithook(_listen)
    atexit.register(_write)
