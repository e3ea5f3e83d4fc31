"""How Prefect is set up in this process: quiet, private, and with no server to look after."""

from __future__ import annotations

import os
from pathlib import Path

# An ephemeral server that migrates its database for the first time took up to 28 s here.
_EPHEMERAL_STARTUP_SECONDS = 120


def prepare(home: Path) -> None:
    """Set what the user did not set; must run before `prefect` is imported.

    With `PREFECT_API_URL` set the runs go to that server, else to one that lives as long as this
    process, with its database in the home.
    """
    defaults = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(_EPHEMERAL_STARTUP_SECONDS),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLI_COLORS": "false",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
