"""One cycle of the loader alone: `python -m load`. The next `p2p run` checks and transforms it."""

import sys

from load.pipeline import run_cycle
from ops import record
from warehouse import log
from warehouse.clock import utc_now
from warehouse.errors import UserError
from warehouse.postgres import open_warehouse
from warehouse.settings import load_settings


def main() -> int:
    """Load what is due, and return the exit status: 2 where a user has to correct something."""
    try:
        settings = load_settings()
        log.configure(settings.log_format, settings.home / "logs", verbose=True)
        with open_warehouse(settings) as warehouse:
            with record.connected(warehouse) as connection:
                holds_simulated = record.holds_simulated(connection)
            report = run_cycle(
                settings,
                warehouse,
                f"{utc_now():%Y%m%dT%H%M%S}-load",
                holds_simulated=holds_simulated,
            )
    except UserError as error:
        print(f"load: {log.escape(str(error))}", file=sys.stderr)
        return 2
    print(f"{report.books_read} books read, {report.pages_landed} pages landed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
