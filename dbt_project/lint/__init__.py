"""What dbt puts into a model's Jinja and sqlfluff does not know, so that SQL is linted without dbt.

sqlfluff's own dbt templater would ask for a database, and would render a model in one state only.
Here a model renders as an incremental run, or with `DBT_LINT_REBUILD=1` as a full rebuild; `make
lint` does both. Every name in this module becomes one in the templates (`library_path`).
"""

import os
from collections.abc import Callable
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

execute = True
graph: dict[str, dict[str, Any]] = {"nodes": {}}
invocation_id = "00000000-0000-0000-0000-000000000000"


class Adapter:
    """The adapter, as far as macros ask it: for the macro of this dialect."""

    @pass_context
    def dispatch(self, context: Context, name: str, package: str) -> Callable[..., Any]:
        """Our stand-in of `.sqlfluff`, else PostgreSQL's macro, else the default one."""
        for prefix in ("lint__", "postgres__", "default__"):
            if prefix + name in context:
                macro: Callable[..., Any] = context[prefix + name]
                return macro
        raise ValueError(f"no macro default__{name} for adapter.dispatch('{name}', '{package}')")


class Flags:
    """The flags of a `dbt build`."""

    WHICH = "build"
    FULL_REFRESH = False


class Target:
    """The target of the profile, by the names that macros use."""

    name = "warehouse"
    schema = "marts"
    type = "postgres"


adapter = Adapter()
flags = Flags()
target = Target()


def is_incremental() -> bool:
    """What the linter wants this run to be."""
    return os.environ.get("DBT_LINT_REBUILD") != "1"
