"""`p2p demo`: three cycles over a simulated market, and a picture."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from flows.starting import SUCCESS, Verbose, start
from warehouse.settings import PROJECT_ROOT, load_settings

TRY_QUERY = (
    "select trading_pair, side, reference_price, n_offers, confidence from market_now"
    " order by n_offers desc limit 5"
)


def demo(verbose: Verbose = False) -> int:
    """Three cycles over a simulated market, and a picture of the result."""
    from cli.demo import demo_settings, run_demo, start_over

    settings = demo_settings(load_settings())
    start(settings, verbose=verbose)
    from cli.picture import show, show_walks
    from warehouse.postgres import open_warehouse

    start_over(settings.home)
    # Held over all cycles and the picture, rather than restarted for each.
    with open_warehouse(settings) as warehouse:
        outcomes = run_demo(settings)
        show_walks(warehouse)
        home, p2p = map(_shown, (settings.home, Path(sys.argv[0]).resolve()))
        show(
            warehouse,
            outcomes,
            [
                f"export P2P_HOME={home}   # the demo has a warehouse of its own",
                f'{p2p} sql "{TRY_QUERY}"',
                f"{p2p} status",
                f"{p2p} docs",
                "unset P2P_HOME",
                f"{p2p} run --fiats VES,ARS --assets USDT   # the real market, no key needed",
            ],
        )
    return SUCCESS


def _shown(path: Path) -> str:
    """A path as one would type it in the project."""
    inside = path.is_relative_to(PROJECT_ROOT)
    return shlex.quote(str(path.relative_to(PROJECT_ROOT) if inside else path))
