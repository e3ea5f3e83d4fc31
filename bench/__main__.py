"""`python -m bench`: measure, show one figure a line, and keep all in bench/latest.json."""

import argparse
from pathlib import Path

from bench import arbitrage, first_page, forecasts, history, moving, staleness
from bench.figures import Figures
from bench.measure import CYCLES, PARTS, Plan, measure
from simulator.universe import FIATS

STALENESS = "staleness"
HISTORY = "history"
FIRST_PAGE = "first_page"
MOVING = "moving"
FORECASTS = "forecasts"
ARBITRAGE = "arbitrage"
LATEST = Path(__file__).resolve().parent / "latest.json"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    default = Plan()
    parser.add_argument(
        "--offers",
        type=int,
        default=default.offers,
        help="how many the market has on average over a day (%(default)s: 50,000 at its start)",
    )
    parser.add_argument(
        "--fiats",
        type=int,
        choices=range(1, len(FIATS) + 1),
        default=len(default.fiats),
        metavar="N",
        help=f"in how many fiats they are, the largest ones (%(default)s of {len(FIATS)})",
    )
    parser.add_argument(
        "--parts",
        nargs="*",
        choices=(*PARTS, HISTORY, STALENESS, FIRST_PAGE, MOVING, FORECASTS, ARBITRAGE),
        default=(*default.parts, HISTORY, STALENESS, FIRST_PAGE, MOVING, FORECASTS, ARBITRAGE),
        help="beside the steps",
    )
    parser.add_argument(
        "--cycles", type=int, choices=range(1, len(CYCLES) + 1), default=default.cycles
    )
    parser.add_argument(
        "--repetitions", type=int, default=default.repetitions, help="of the comparison with COPY"
    )
    parser.add_argument(
        "--versions",
        type=int,
        default=history.Plan().versions,
        help="how many stand in the past of `history` (%(default)s)",
    )
    given = parser.parse_args()
    figures = Figures()
    measure(
        Plan(
            offers=given.offers,
            fiats=tuple(FIATS)[: given.fiats],
            parts=given.parts,
            cycles=given.cycles,
            repetitions=given.repetitions,
        ),
        figures,
    )
    if HISTORY in given.parts:
        history.measure(figures, history.Plan(versions=given.versions))
    if STALENESS in given.parts:
        staleness.measure(figures)
    if FIRST_PAGE in given.parts:
        first_page.measure(figures)
    if MOVING in given.parts:
        moving.measure(figures)
    if FORECASTS in given.parts:
        forecasts.measure(figures)
    if ARBITRAGE in given.parts:
        arbitrage.measure(figures)
    figures.write(LATEST)


if __name__ == "__main__":
    main()
