"""The price that an amount really gets, in one order, in several, and by payment method."""

from __future__ import annotations

from report import bars, figures
from report.charts import Chart, Point, Series, thin
from report.markup import Content, Markup, element, stranger
from report.marts import Marts, Row
from report.page import Section
from report.pairs import SIDES, Pair, as_of

TICKET = 100
"""US dollars: the amount that is drawn over time and compared between methods."""
MOST_METHODS = 12

TICKETS = """
select
    side, ticket_usd, ticket_amount, single_order_price_eligible, sweep_price, fill_ratio, n_orders,
    slippage_pct, is_filled
from marts.executable_prices
where snapshot_id = any(%(snapshots)s) and payment_method = 'any'
order by ticket_usd
"""

METHODS = """
select
    prices.side,
    prices.payment_method,
    prices.sweep_price,
    prices.single_order_price_eligible,
    prices.n_orders,
    prices.fill_ratio,
    prices.is_filled
from marts.executable_prices as prices
where
    prices.snapshot_id = any(%(snapshots)s)
    and prices.ticket_usd = %(ticket)s
    and prices.payment_method != 'any'
    and prices.sweep_price is not null
"""

OVER_TIME = """
select side, snapshot_at, sweep_price, fill_ratio, is_filled
from marts.executable_prices
where
    fiat_code = %(fiat)s and asset_code = %(asset)s and snapshot_at >= %(since)s
    and payment_method = 'any' and ticket_usd = %(ticket)s
order by snapshot_at
"""

LAST = """
select distinct on (side) snapshot_id
from marts.market_quotes
where fiat_code = %(fiat)s and asset_code = %(asset)s and not is_withheld
order by side, snapshot_at desc
"""


def write(marts: Marts, pair: Pair) -> Section:
    """The section for one pair."""
    snapshots = [row["snapshot_id"] for row in pair.rows(marts, LAST)]
    tickets = pair.rows(marts, TICKETS, snapshots=snapshots)
    methods = pair.rows(marts, METHODS, snapshots=snapshots, ticket=TICKET)
    return Section(
        "What your amount gets",
        "One order: the best eligible offer whose limits take the whole amount. Several: the "
        "sweep, a walk over the eligible offers from the best on, each within its limits and its "
        f"quantity; greedy, so neither the best nor always dearer for more. {pair.fiat} per "
        f"{pair.asset}; slippage is against the best eligible offer.",
        [
            element("div", (_tickets(pair, tickets, side) for side in SIDES), class_="halves"),
            element("h3", f"Sweep of {TICKET} US dollars' worth, any method"),
            _over_time(marts, pair),
            element("div", (_methods(methods, side) for side in SIDES), class_="halves"),
        ],
        as_of(marts, pair.trusted),
    )


def _tickets(pair: Pair, tickets: list[Row], side: str) -> Markup:
    shown = [row for row in tickets if row["side"] == side]
    most = max((abs(float(row["slippage_pct"] or 0)) for row in shown), default=0.0)
    rows: list[list[Content]] = [
        [
            f"{row['ticket_usd']:,.0f} USD",
            figures.amount(row["ticket_amount"]),
            figures.price(row["single_order_price_eligible"]),
            figures.price(row["sweep_price"]),
            figures.percent(row["slippage_pct"]),
            bars.bar(abs(float(row["slippage_pct"] or 0)) / most if most else 0.0, SIDES[side]),
            _filled(row),
        ]
        for row in shown
    ]
    heads = ["amount", pair.fiat, "one order", "several", "slippage", "", "how far filled"]
    title = f"{side}: you {'pay' if side == 'BUY' else 'get'} {pair.fiat}"
    table = bars.table(heads, rows) if rows else _nothing()
    return element("div", element("h3", title), table)


def _filled(row: Row) -> Content:
    if row["is_filled"]:
        return f"filled, {figures.count(row['n_orders'])} order{'s' * (row['n_orders'] != 1)}"
    return element("span", f"{figures.share(row['fill_ratio'])} filled", class_="is-bad")


def _nothing() -> Markup:
    return element("p", "Unknown: no trusted reading, or none of a dollar's price.", class_="none")


def _over_time(marts: Marts, pair: Pair) -> Markup:
    found = pair.rows(marts, OVER_TIME, ticket=TICKET)
    series = [
        Series(
            f"{side}: {name}",
            f"{name} main",
            thin(
                [
                    Point(row["snapshot_at"], float(row["sweep_price"]))
                    if row["is_filled"]
                    else Point(
                        row["snapshot_at"], None, f"{figures.share(row['fill_ratio'])} filled"
                    )
                    for row in found
                    if row["side"] == side
                ]
            ),
        )
        for side, name in SIDES.items()
    ]
    return Chart(f"Sweep price of {TICKET} dollars, {pair.name}", series, figures.price).draw()


def _methods(methods: list[Row], side: str) -> Markup:
    way = 1 if side == "BUY" else -1
    shown = sorted(
        (row for row in methods if row["side"] == side),
        key=lambda row: (not row["is_filled"], way * row["sweep_price"], row["payment_method"]),
    )[:MOST_METHODS]
    rows: list[list[Content]] = [
        [
            stranger(row["payment_method"]),
            figures.price(row["single_order_price_eligible"]),
            figures.price(row["sweep_price"]),
            _filled(row),
        ]
        for row in shown
    ]
    heads = ["payment method", "one order", "several", "filled"]
    title = f"{side}: {TICKET} USD by method, the best {MOST_METHODS}"
    return element("div", element("h3", title), bars.table(heads, rows) if rows else _nothing())
