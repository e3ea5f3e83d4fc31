"""Premiums, crosses and health: right, carried forward where need be, and never made up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.query import RATES
from tests.dbt import plain_rates
from tests.dbt.conftest import Dbt
from tests.dbt.test_market import assert_equal, crowd, minute, reading, told
from tests.landing import Rate, Reading, land, land_prices

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MARTS = (
    "official_rates",
    "usd_per_asset_days",
    "parallel_premiums",
    "implied_cross_rates",
)
RUN = ("run", "--select", *(f"+{mart}" for mart in MARTS))
PREMIUMS = ("run", "--select", "+parallel_premiums")
LATER = 20
"""Seconds from the reading of a pair's asks to that of its bids."""


def day(number: float) -> datetime:
    """Noon, that many days after the first."""
    return NOON + timedelta(days=number)


def pair(
    fiat: str, ask: str, bid: str, at: datetime, asset: str = "USDT", n: int = 5
) -> list[Reading]:
    """Both sides of a pair, of `n` offers each: five make a market."""
    return [
        reading((fiat, asset, side), crowd(price, n), at + timedelta(seconds=later))
        for side, price, later in (("BUY", ask, 0), ("SELL", bid, LATER))
    ]


def premiums(connection: psycopg.Connection[Any], columns: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        f"select {columns} from marts.parallel_premiums order by day, fiat_code, rate_kind".encode()
    ).fetchall()


def test_a_premium_is_the_one_worked_out_by_hand(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """A dollar coin at 420 and 400, mid 410, worth 1.025 dollars: 400 a dollar.

    The market's rate is 320: 25% above it. The bank buys at 200 and sells at 250: who sells a coin
    gets 400 / 1.025, 95.1...% above the bank's bid; who buys one pays 420 / 1.025 for it. The peg:
    a USDC costs 40/41 of a USDT, so a USDT is worth 41/40 dollars.
    """
    land(connection, "1", pair("VES", "420", "400", NOON))
    bank = Rate("VES", NOON, "225", "bank", "200", "250", source="BCV")
    usdc = {"USDC": (f"{Decimal(40) / 41:.18f}",) * 2}
    land_prices(connection, "2", [Rate("VES", NOON, "320"), bank], usdc, at=NOON)
    dbt(*PREMIUMS)

    by_bank, by_market = told(connection, "parallel_premiums")
    if by_bank["rate_kind"] != "bank":
        by_bank, by_market = by_market, by_bank
    for row in (by_bank, by_market):
        row["premium_mid_pct"] = round(row["premium_mid_pct"], 9)
        row["premium_sell_pct"] = round(row["premium_sell_pct"], 9)
        row["premium_buy_pct"] = round(row["premium_buy_pct"], 9)
    assert (by_market["p2p_mid"], round(by_market["shadow_rate"], 9)) == (410, 400)
    assert by_market["premium_mid_pct"] == 25
    assert (by_bank["rate_source"], by_bank["official_bid"], by_bank["official_ask"]) == (
        "BCV", 200, 250,
    )  # fmt: skip
    assert by_bank["premium_sell_pct"] == round(Decimal(400) / Decimal("2.05") - 100, 9)
    assert by_bank["premium_buy_pct"] == round(Decimal(420) / Decimal("2.5625") - 100, 9)
    assert (by_market["peg_kind"], by_market["is_peg_carried_forward"]) == ("spot", False)


def test_a_source_that_stands_still_for_days_is_carried_forward_and_says_so(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    land_prices(connection, "rates", [Rate("VES", day(-0.4), "200")], at=day(-0.4))
    for number in range(4):
        land(connection, str(number), pair("VES", "300", "300", day(number)))
        if number != 1:
            dbt(*PREMIUMS)
    carried = "official_rate, official_rate_date, days_carried, is_official_carried_forward"
    stands = date(2026, 11, 1)
    assert premiums(connection, carried) == [
        (200, stands, number, number > 0) for number in range(4)
    ]
    status = connection.execute(RATES.encode()).fetchall()
    assert status == [("mid_market", "open.er-api.com", "2026-11-01", 3, 1, 1, 0)]
    # It renews at last, and a rate of the day before yesterday comes late.
    land_prices(connection, "late", [Rate("VES", day(1), "250")], at=day(3.1))
    land_prices(connection, "new", [Rate("VES", day(3), "300")], at=day(3.1))
    dbt(*PREMIUMS)
    assert premiums(connection, "official_rate, days_carried, premium_mid_pct") == [
        (200, 0, 50),
        (250, 0, 20),
        (250, 1, 20),
        (300, 0, 0),
    ]


def test_without_an_official_rate_a_premium_is_null_and_without_a_spot_price_par_is_said(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    land(
        connection,
        "1",
        [
            *pair("VES", "300", "300", NOON),
            *pair("ZWG", "30", "30", NOON),
            *pair("VES", "9", "9", NOON, asset="DOGE"),
        ],
    )
    land_prices(connection, "2", [Rate("VES", day(1), "200")], at=day(1))
    land_prices(connection, "3", [Rate("VES", day(-1), "150")], at=day(1))
    dbt(*PREMIUMS)
    # That of tomorrow is no rate of today.
    columns = (
        "trading_pair, rate_kind, official_rate, premium_mid_pct, premium_buy_pct, peg_kind,"
        " is_official_carried_forward"
    )
    assert sorted(premiums(connection, columns)) == [
        ("VES/DOGE", "mid_market", 150, None, None, None, True),
        ("VES/USDT", "mid_market", 150, 100, 100, "par", True),
        ("ZWG/USDT", None, None, None, None, "par", None),
    ]


def test_an_absurd_official_rate_is_withheld_and_shown_until_it_is_confirmed(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """200, then a slip of the point, then 210; a new currency without six zeros, twice."""
    rates = ["200", "20000", "210", "0.00021", "0.00022", "-5", "0"]
    for number, rate in enumerate(rates):
        land(connection, f"book-{number}", pair("VES", "300", "300", day(number)))
        land_prices(connection, f"{number}", [Rate("VES", day(number), rate)], at=day(number))
        if number in (1, 6):
            dbt(*PREMIUMS)
    assert premiums(connection, "official_rate, withheld_rate, is_official_carried_forward") == [
        (200, None, False),
        (200, 20000, True),
        (210, None, False),
        (210, Decimal("0.00021"), True),
        (Decimal("0.00022"), None, False),
        (Decimal("0.00022"), None, True),
        (Decimal("0.00022"), None, True),
    ]


numbers = st.sampled_from(["9.5", "10", "10.25", "11", "26", "31", "100", "1000"])
examples = st.tuples(
    st.dictionaries(st.integers(-2, 4), numbers, max_size=6),
    st.dictionaries(st.integers(0, 4), st.tuples(numbers, numbers), max_size=4),
    st.lists(
        st.tuples(st.integers(0, 4), numbers, numbers, st.sampled_from(["USDT", "BTC", "NEW"])),
        min_size=1,
        max_size=4,
    ),
)


def test_on_rates_nobody_chose_sql_and_plain_python_give_the_same_premiums(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    made: list[Any] = []

    @settings(max_examples=30, deadline=None, database=None)
    @given(examples)
    def gather(example: Any) -> None:
        made.append(example)

    gather()
    chance = random.Random(1)
    spot = {
        day(number).date(): [
            {
                asset: (str(price), str(price + chance.randint(0, 2)))
                for asset, price in (("BTC", 900 + number), ("USDC", chance.randint(1, 3)))
                if chance.random() < 0.9
            }
            for _ in range(chance.randint(1, 4))
        ]
        for number in (1, 3)
    }
    rates: dict[tuple[str, str], list[Rate]] = {}
    books: list[Reading] = []
    for number, (published, own, quoted) in enumerate(made):
        fiat = f"X{number:03}"
        rates[fiat, "mid_market"] = [Rate(fiat, day(n), rate) for n, rate in published.items()]
        rates[fiat, "own"] = [
            Rate(fiat, day(n), rate, "own", bid=min(rate, ask), ask=ask, source="me")
            for n, (rate, ask) in own.items()
        ]
        for place, (n, ask, bid, asset) in enumerate(quoted):
            books += pair(fiat, ask, bid, day(n) + timedelta(minutes=30 * place), asset)
    land(connection, "books", books)
    every = [rate for some in rates.values() for rate in some]
    land_prices(connection, "rates", every, at=NOON)
    for known, readings in spot.items():
        for place, prices in enumerate(readings):
            at = datetime.combine(known, NOON.timetz()) + timedelta(minutes=place)
            land_prices(connection, f"{at}", spot=prices, at=at)
    dbt(*PREMIUMS)

    spreads: dict[Any, list[dict[str, Any]]] = {}
    for spread in told(connection, "market_spreads"):
        where = spread["buy_snapshot_at"].date(), spread["fiat_code"], spread["asset_code"]
        spreads.setdefault(where, []).append(spread)
    rows = {
        (row["day"], row["fiat_code"], row["asset_code"], row["rate_kind"]): row
        for row in told(connection, "parallel_premiums")
    }
    expected: dict[Any, dict[str, Any]] = {}
    for (at, fiat, asset), some in spreads.items():
        peg = plain_rates.usd_per_asset(spot, asset, at)
        if peg is None and asset == "USDT":
            peg = Fraction(1)
        kinds = {
            kind: plain_rates.official(rates[fiat, kind], at) for kind in ("mid_market", "own")
        }
        for kind, of_fiat in kinds.items():
            if of_fiat is not None:
                row = plain_rates.premium(some, of_fiat, peg)
                expected[at, fiat, asset, kind] = {**row, "withheld_rate": of_fiat.withheld}
        if not any(kinds.values()):
            expected[at, fiat, asset, None] = plain_rates.premium(some, None, peg)
    assert rows.keys() == expected.keys()
    for key, row in expected.items():
        shown = [(r.published_at.day, r.rate) for r in rates[key[1], key[3] or "own"]]
        assert_equal(rows[key], row, (key, shown))
    assert sum(row["withheld_rate"] is not None for row in rows.values()) > 0


def cycle(number: int, at: datetime, depths: dict[str, tuple[str, str, int]]) -> list[Reading]:
    """A pair of every fiat within a cycle, a minute apart."""
    return [
        each
        for place, (fiat, (ask, bid, n)) in enumerate(sorted(depths.items()))
        for each in pair(fiat, ask, bid, at + timedelta(minutes=place), n=n)
    ]


def test_crosses_are_those_of_the_deepest_pairs_of_a_cycle(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    """Fourteen fiats of 10 to 23 offers, of which twelve are told, and one too thin for a price.

    Of a pair whose bids were read a while after its asks, the two readings of the rate count.
    """
    chance = random.Random(2)
    depths = {
        f"X{n:02}": (str(100 + n + chance.randint(0, 9)), str(100 + n), 10 + n) for n in range(14)
    }
    thin = {"THIN": ("10", "9", 4)}
    land(connection, "1", cycle(1, NOON, {**depths, **thin}), run_id="one")
    land(
        connection,
        "2",
        cycle(2, day(1), {"X01": depths["X01"], "X02": depths["X02"]}),
        run_id="two",
    )
    rates = [Rate(fiat, NOON, f"{90 + n}") for n, fiat in enumerate(depths) if n % 3]
    land_prices(connection, "3", rates, at=NOON)
    dbt(*RUN)

    spreads = [
        {
            "fiat_code": fiat, "ask": ask, "bid": bid, "n_eligible": n, "confidence": confidence(n),
            "ask_at": minute(place), "bid_at": minute(place) + timedelta(seconds=LATER),
        }
        for place, (fiat, (ask, bid, n)) in enumerate(depths.items())
    ]  # fmt: skip
    official: dict[str, Fraction | None] = dict.fromkeys(depths)
    official |= {rate.fiat: Fraction(rate.rate) for rate in rates}
    rows = {
        (row["run_id"], row["from_fiat_code"], row["to_fiat_code"]): row
        for row in told(connection, "implied_cross_rates")
    }
    expected = {
        (run, *fiats): row
        for run, some in (("one", spreads), ("two", spreads[1:3]))
        for fiats, row in plain_rates.crosses(some, official, 12).items()
    }
    assert len(expected) == 12 * 11 + 2
    assert rows.keys() == expected.keys()
    for key, row in expected.items():
        assert_equal(rows[key], row, key)
    assert rows["two", "X01", "X02"]["is_official_carried_forward"]


def random_lot(chance: random.Random, number: int) -> tuple[list[Reading], list[Rate], Any]:
    """What one load brings: books of a cycle, rates, spot prices, or some of these."""
    at = day(chance.choice([0, 0.2, 0.4, 1, 1.3, 2.5])) + timedelta(seconds=number)
    depths = {
        fiat: (str(chance.randint(100, 120)), str(chance.randint(90, 110)), chance.choice([4, 12]))
        for fiat in ("VES", "ARS", "BOB")
        if chance.random() < 0.7
    }
    rates = [
        Rate(fiat, day(chance.randint(-1, 2)), str(chance.choice([90, 100, 110, 9000])), kind)
        for fiat in ("VES", "ARS")
        for kind in ("mid_market", "own")
        if chance.random() < 0.5
    ]
    spot = {"USDC": ("1", f"1.0{number}")} if chance.random() < 0.6 else {}
    return cycle(number, at, depths), rates, spot


def test_however_loads_arrive_premiums_and_crosses_are_those_of_a_rebuild(
    connection: psycopg.Connection[Any], dbt: Dbt
) -> None:
    chance = random.Random(3)
    lots = [random_lot(chance, number) for number in range(8)]
    for group in ([4], [0, 6], [7, 1, 5], [2, 3], []):
        for number in group:
            books, rates, spot = lots[number]
            run_id = f"run-{number % 6}"
            land(connection, f"books-{number}", books, run_id=run_id)
            at = day(3) + timedelta(minutes=number)
            land_prices(connection, f"rates-{number}", rates, at=at)
            land_prices(connection, f"spot-{number}", spot=spot, at=day(number % 3))
        dbt(*RUN)
    as_they_came = {mart: rows_of(connection, mart) for mart in MARTS}
    dbt("run", "--full-refresh", "--select", *MARTS)
    for mart in MARTS:
        assert as_they_came[mart] == rows_of(connection, mart), mart
        assert len(as_they_came[mart]) > 3, mart


def confidence(n: int) -> Fraction:
    """That of a book of as many equal offers, each of another advertiser, read whole."""
    return round(Fraction(n, n + 5) * (1 - Fraction(1, n)), 4)


def rows_of(connection: psycopg.Connection[Any], mart: str) -> Sequence[Any]:
    """Every row of a mart, as text, in order."""
    return connection.execute(
        f"select m::text from marts.{mart} as m order by 1".encode()
    ).fetchall()
