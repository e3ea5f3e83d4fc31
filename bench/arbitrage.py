"""What walks of trades cost a cycle: `python -m bench --parts arbitrage`.

A market of 100 fiats and 7 assets in which each book that is listed fills every ticket, so that
there are as many legs as can be. It is read twice, and the second transform counts: the first
makes the tables.
"""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.exchange import RunningExchange
from bench.figures import Figures
from bench.history import PROJECT, seconds_of
from bench.measure import MINUTES_BETWEEN, Subject, own_database, own_server
from ops import record
from ops.migrations import migrate
from simulator.chance import seeded
from simulator.clock import still
from simulator.manners import AT_ONCE
from simulator.market import Market
from simulator.planted import Planted
from simulator.rates import ASSET_USD, FIAT_PER_USD
from simulator.server import Exchange
from simulator.universe import FIATS, listed_pairs
from warehouse.postgres import Warehouse

SEED = 7
ASSETS = ("USDT", "BTC", "ETH", "BNB", "USDC", "FDUSD", "SOL")
_ROOM, _HALF_SPREAD, _NOISE = 3_000.0, 0.003, 0.003  # US dollars an ad; shares of the price
_TOLD = """
    select n_books, n_edges, n_cycles, best_net_pct
    from marts.arbitrage_runs
    order by as_of desc
    limit 1
"""


def measure(figures: Figures, fiats: int = 100) -> None:
    """Measure in how many seconds of a transform walks, outcomes or alerts were being built.

    Raises:
        WorkFailed: a step failed.
    """
    market = market_of(fiats)
    with (
        TemporaryDirectory(prefix="p2p-bench-") as folder,
        Exchange(market, clock=still(), manners=AT_ONCE) as exchange,
        own_server(Path(folder)) as server,
        own_database(server) as warehouse,
    ):
        subject = Subject(warehouse, Path(folder) / "home", RunningExchange(exchange.url))
        for number in range(2):
            run_id, now = (
                f"cycle-{number}",
                market.now + number * timedelta(minutes=MINUTES_BETWEEN),
            )
            with record.connected(warehouse) as connection:
                migrate(connection)
                record.open_run(connection, run_id, now)
            subject.run("load", run_id, now)
            subject.run("transform", run_id, now)
        for name, value, unit in zip(
            ("books", "legs", "walks", "best_net"),
            _told(warehouse),
            ("books", "legs", "walks", "%"),
            strict=True,
        ):
            figures.add(f"arbitrage.{name}", value, unit)
        models = {file.stem for file in PROJECT.glob("marts/arbitrage/*.sql")}
        figures.add("arbitrage.seconds", seconds_of(models, subject.home), "s")


def market_of(fiats: int) -> Market:
    """The largest fiats, each book with six ads of much room at one price near the fair one."""
    chance = seeded(SEED, "walks")
    chosen = list(FIATS)[:fiats]
    books = {}
    for pair in listed_pairs(SEED):
        if pair.fiat not in chosen or pair.asset not in ASSETS:
            continue
        worth = ASSET_USD[pair.asset]
        for side, away in (("BUY", _HALF_SPREAD), ("SELL", -_HALF_SPREAD)):
            price = FIAT_PER_USD[pair.fiat] * worth * (1 + away + chance.gauss(0, _NOISE))
            books[pair.fiat, pair.asset, side] = Planted(price, _ROOM / worth)
    return Market(SEED, chosen, ASSETS, planted=books)


def _told(warehouse: Warehouse) -> tuple[float, ...]:
    with warehouse.connect() as connection:
        row = connection.execute(_TOLD.encode()).fetchone()
    assert row is not None  # noqa: S101 - a cycle has a row
    return tuple(float(value) for value in row)
