"""`python -m chaos`: strike the pipeline down a hundred times, and audit what is left of the data.

Then every fault that the exchange is known for, in 1%, 10% and half of its answers, and an audit.

Exit status 0 when every question of the audit was answered well, else 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.audit import Finding
from chaos.blows import rounds
from chaos.campaign import Siege, besiege
from chaos.faults import Ordeal, each_alone, undergo
from chaos.places import EXTRACT, LOAD, MARKER, NORMALIZE, models
from chaos.prefect import prefect_server
from chaos.victim import Forge
from warehouse.embedded import erase
from warehouse.postgres import open_warehouse
from warehouse.settings import load_settings


def main() -> int:
    """Read the command line, strike, and show what came of it."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="by SIGKILL (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed")
    given = parser.parse_args()
    # What the killed had open is cleared away by Python's tracker, which need not say so.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begun = time.monotonic()
    with _folder() as folder, prefect_server(folder / "prefect"), Forge() as forge:
        siege = besiege(
            folder,
            forge,
            rounds(given.kills, given.seed),
            given.seed,
            lambda line: print(line, flush=True),
            wanted=(
                [EXTRACT, NORMALIZE, LOAD, MARKER, *(f"inside {name}" for name in models())]
                if given.kills >= 100
                else ()
            ),
        )
    show(siege, given.seed, time.monotonic() - begun)
    with _folder() as folder:
        ordeal = under_faults(folder / "home", given.seed)
    print("\nAn exchange that fails:")
    for trial in ordeal.trials:
        print(f"  {trial}")
    _show_audit(ordeal.findings)
    return 0 if siege.is_held and ordeal.is_held else 1


def under_faults(home: Path, seed: int) -> Ordeal:
    """Every fault that is known, at every rate, on a warehouse of its own."""
    logging.disable(logging.WARNING)  # each fault is logged, and there are thousands
    with open_warehouse(load_settings(home=home, database_url=None)) as warehouse:
        ordeal = undergo(warehouse, home, each_alone(), seed, core_only=False)
    erase(home)
    return ordeal


def show(siege: Siege, seed: int, seconds: float) -> None:
    """Kills by place, what else went wrong, and the audit."""
    kills = siege.kills()
    print(f"\n{kills.total()} kills in {seconds / 60:.0f} minutes, seed {seed}, by place:")
    for place, number in sorted(kills.items()):
        print(f"  {number:4}  {place}")
    print("\nBeside them:")
    for what, number in sorted(siege.others().items()):
        print(f"  {number:4}  {what}")
    print(f"        the disk: {siege.disk}")
    if siege.missed:
        print(f"        never met: {', '.join(blow.place for blow in siege.missed)}")
    _show_audit(siege.findings)


def _show_audit(findings: Iterable[Finding]) -> None:
    print("\nThe audit:")
    for finding in findings:
        print(f"  {finding}", flush=True)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that the server's own user can pass through, where we are root."""
    with tempfile.TemporaryDirectory(prefix="p2p-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


if __name__ == "__main__":
    sys.exit(main())
