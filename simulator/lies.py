"""Pages that are whole and well-formed, and do not show the book that was asked for.

Each was met on the real exchange: a page size capped in silence, the ads of another pair (a search
whose body got lost answers the board of AED), an item without its ad.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from simulator.chance import share
from simulator.source import Answer, Query, Source

CAP = 10
"""Rows of a page that is capped."""
_ALL = 1_000_000
_EVERY = 8  # of so many ads one is another pair's, or has no `adv`


def wrong_page(kind: str, query: Query, source: Source) -> Answer:
    """The page asked for, with what is wrong with its book: one of `faults.OF_BOOKS`."""
    if kind == "capped":
        return source.page(replace(query, rows=min(query.rows, CAP)))
    if kind == "foreign":
        return source.page(_elsewhere(query, source))
    if kind == "mixed":
        return _mixed(query, source)
    page = source.page(query)
    if kind == "bare":
        return Answer([_without_adv(item, source) for item in page.items], page.total)
    return page


def _mixed(query: Query, source: Source) -> Answer:
    """The book with some ads of another among its own: counted, and on pages like any other."""
    own = source.page(replace(query, page=1, rows=_ALL)).items
    others = source.page(replace(_elsewhere(query, source), page=1, rows=_ALL)).items
    items = list(_strewn(own, others))
    first = (query.page - 1) * query.rows
    return Answer(items[first : first + query.rows], len(items))


def _strewn(own: Sequence[bytes], others: Sequence[bytes]) -> Iterator[bytes]:
    rest = iter(others)
    for place, item in enumerate(own):
        if place % _EVERY == 0 and (other := next(rest, None)) is not None:
            yield other
        yield item


def _elsewhere(query: Query, source: Source) -> Query:
    """The same question about a book that has offers: of another fiat, or of another asset."""
    fiats = [replace(query, fiat=fiat) for fiat in source.fiats if fiat != query.fiat]
    assets = [replace(query, asset=asset) for asset in source.assets if asset != query.asset]
    is_of_fiat = share(source.seed, "elsewhere", query.fiat, query.asset, query.side) < 0.5
    for other in (*fiats, *assets) if is_of_fiat else (*assets, *fiats):
        if source.page(replace(other, page=1)).items:
            return other
    return query


def _without_adv(item: bytes, source: Source) -> bytes:
    whole = json.loads(item)
    if share(source.seed, "bare", whole["adv"].get("advNo")) >= 1 / _EVERY:
        return item
    del whole["adv"]
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
