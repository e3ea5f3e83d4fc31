"""`python -m mutate`: make small mistakes in the models, and see whether their tests find them.

Exit status 0 when at least nine in ten were found, of those that are not explained in
`equivalent.csv`; else 1.
"""

from __future__ import annotations

import argparse
import gc
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbt_common.behavior_flags import BehaviorFlagRendered

from mutate.hunt import Score, hunt, share_killed, shown
from mutate.oracles import Oracles
from mutate.units import Units
from ops.migrations import migrate
from tests.landing import land
from warehouse.embedded import erase
from warehouse.postgres import Warehouse, open_warehouse
from warehouse.settings import load_settings

WANTED = 0.9
"""How many of the mutants at least are to be killed."""


def main() -> int:
    """Read the command line, hunt the mutants of each model or macro, and show what survived."""
    parser = argparse.ArgumentParser(prog="python -m mutate", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="MODEL|MACRO", help="all models that have unit tests"
    )
    parser.add_argument("--mutants", type=int, default=20, help="of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed")
    parser.add_argument(
        "--level",
        choices=("units", "oracles"),
        default="units",
        help="oracles: what unit tests let live also meets tests/dbt, a minute or more each",
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with its server, not before it
    gc.set_threshold(50_000, 20, 50)  # it would walk all of dbt's project again and again
    # dbt has one flag more at each call, and asks the stack for the module of each: after some
    # hundreds of calls a mutant took eight seconds.
    flags: Any = BehaviorFlagRendered
    flags._default_source = staticmethod(lambda: "dbt.adapters")
    with _folder() as folder, _empty_warehouse(folder / "home") as warehouse:
        units = Units(warehouse, folder / "dbt")
        unknown = set(given.names) - units.sources().keys()
        if unknown:
            parser.error(f"no such model or macro: {', '.join(sorted(unknown))}")
        oracles = Oracles(folder) if given.level == "oracles" else None
        total: Score = Counter()
        for name in given.names or units.tested_models():
            chance = random.Random(f"{given.seed} {name}")  # noqa: S311 - nothing is secret here
            total += hunt(name, given.mutants, chance, units, oracles, _say)
    _say(f"all: {shown(total)}")
    return 0 if share_killed(total) >= WANTED else 1


def _say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def _empty_warehouse(home: Path) -> Iterator[Warehouse]:
    """A warehouse of its own, with the tables that a loader fills, and nothing in them."""
    with open_warehouse(load_settings(home=home, database_url=None)) as warehouse:
        with warehouse.connect(autocommit=True) as connection:
            # A mutant can ask for more than there is time for; that is no way to survive.
            connection.execute("alter role current_user set statement_timeout = '60s'")
            migrate(connection)
            land(connection, "none", [])
        yield warehouse
    erase(home)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that the server's own user can pass through, where we are root."""
    with tempfile.TemporaryDirectory(prefix="p2p-mutate-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


if __name__ == "__main__":
    sys.exit(main())
