"""From a request's path and body to an answer: the exchange's endpoints and their manners."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from simulator.faults import Asked, Fault
from simulator.lies import wrong_page
from simulator.source import ROWS, Answer, Query, Source

SEARCH = "/bapi/c2c/v2/friendly/c2c/adv/search"
TWIN = "/bapi/c2c/v2/public/c2c/adv/search"
FIAT_LIST = "/bapi/c2c/v1/friendly/c2c/trade-rule/fiat-list"
PORTAL = "/bapi/c2c/v2/friendly/c2c/portal/config"
CONDITIONS = "/bapi/c2c/v2/public/c2c/adv/filter-conditions"
ENDPOINTS = {
    SEARCH: "search",
    TWIN: "twin",
    FIAT_LIST: "fiat-list",
    PORTAL: "portal-config",
    CONDITIONS: "filter-conditions",
}
SIMULATED = "X-P2P-Simulated"
"""The header of every answer, by which a reader knows that the market is made up or replayed."""
_JSON = "application/json;charset=UTF-8"
_TAIL = b'],"success":true}'
_TAIL_TOTAL = b'],"total":%d,"success":true}'
_HEAD = b'{"code":"000000","message":null,"messageDetail":null,"data":['


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back: a status, a body, its type and further headers."""

    status: int
    body: bytes
    content_type: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)


class Illegal(ValueError):
    """A request that the exchange answers with 400 and "000002"."""


def to_json(value: object) -> bytes:
    """Minified JSON, text as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(
    data: object, total: int | None = None, code: str = "000000", success: bool | None = None
) -> bytes:
    """The exchange's envelope around `data`; any code but "000000" is an error."""
    good = code == "000000"
    whole: dict[str, object] = {
        "code": code,
        "message": None if good else "illegal parameter" if code == "000002" else "system busy",
        "messageDetail": None,
        "data": data,
    }
    if total is not None:
        whole["total"] = total
    whole["success"] = good if success is None else success
    return to_json(whole)


def search_page(answer: Answer, *, is_counted: bool = True) -> bytes:
    """A page of the search, from items that are JSON already; with its total, or without one."""
    tail = _TAIL_TOTAL % answer.total if is_counted else _TAIL
    return _HEAD + b",".join(answer.items) + tail


def not_found(path: str) -> Response:
    """The answer to a wrong path: JSON, but without a code."""
    problem = {"status": 404, "error": "Not Found", "message": "No message available", "path": path}
    return Response(404, to_json(problem))


def illegal() -> Response:
    """The answer to a request that the exchange does not understand."""
    return Response(400, envelope(None, code="000002"))


def read_body(body: bytes) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        Illegal: if it is none.
    """
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise Illegal from error
    if not isinstance(request, dict):
        raise Illegal
    return request


def _natural(value: object) -> int:
    """A whole number from 1, which may come as text."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Illegal
    return value


def read_query(request: dict[str, Any], source: Source) -> Query:
    """The search that a request asks for.

    Raises:
        Illegal: for what the exchange calls an illegal parameter.
    """
    fiat, asset, side = (str(request.get(key)) for key in ("fiat", "asset", "tradeType"))
    if fiat not in source.searchable or asset not in source.assets or side not in ("BUY", "SELL"):
        raise Illegal
    rows = _natural(request.get("rows", 10))
    if rows > ROWS:
        raise Illegal
    methods, publisher = request.get("payTypes") or [], request.get("publisherType")
    if not isinstance(methods, list) or publisher not in (None, "merchant", "user"):
        raise Illegal
    try:
        wanted = request.get("transAmount")
        amount = float(wanted) if wanted else None
    except (TypeError, ValueError) as error:
        raise Illegal from error
    return Query(
        fiat=fiat,
        asset=asset,
        side=side,
        page=_natural(request.get("page", 1)),
        rows=rows,
        methods=frozenset(map(str, methods)),
        publisher=publisher,
        amount=amount,
    )


def what_is_asked(endpoint: str, request: dict[str, Any]) -> Asked:
    """The request in short, for faults that are limited to some of them."""
    page = request.get("page")
    texts = (request.get(key) for key in ("fiat", "asset", "tradeType"))
    fiat, asset, side = (text if isinstance(text, str) else None for text in texts)
    return Asked(endpoint, fiat, asset, side, page if isinstance(page, int) else None)


def answer(
    endpoint: str, request: dict[str, Any], source: Source, wrong: str | None = None
) -> Response:
    """The answer of an endpoint: the honest one, unless something is `wrong` with the book.

    Raises:
        Illegal: for what the exchange calls an illegal parameter.
    """
    if endpoint == "twin":
        # Alive, well and empty, whatever it is asked.
        return Response(200, envelope([], total=0))
    if endpoint == "fiat-list":
        return Response(200, envelope(source.fiat_list()))
    if endpoint == "search":
        query = read_query(request, source)
        page = source.page(query) if wrong is None else wrong_page(wrong, query, source)
        return Response(200, search_page(page, is_counted=wrong != "uncounted"))
    fiat = request.get("fiat")
    if not isinstance(fiat, str) or fiat not in source.fiats:
        raise Illegal
    data = source.portal(fiat) if endpoint == "portal-config" else source.conditions(fiat)
    return Response(200, envelope(data))


def spoilt(fault: Fault, honest: Response) -> Response:
    """The answer with the fault in it, for faults that answer at all."""
    if fault.status is not None:
        return Response(fault.status, fault.cdn_body(), "text/html", fault.headers)
    if fault.kind == "notjson":
        return Response(200, b"upstream connect error or disconnect/reset", "text/plain")
    if fault.kind == "empty":
        # Seen both ways: as if the book were empty, and with the book's true total.
        whole = json.loads(honest.body)
        is_counted = isinstance(whole, dict) and fault.variant >= 0.5
        total = whole.get("total", 0) if is_counted else 0
        return Response(200, envelope([], total=total))
    if fault.kind == "shape":
        return Response(200, _misshapen(fault.variant, honest))
    if fault.kind == "cut":
        return honest
    if fault.kind == "unsuccessful":
        return Response(200, envelope([], success=False))
    return Response(200, envelope(None if fault.variant < 0.5 else [], code=fault.kind))


_PAGE_OF_ADS = 3  # of fewer, each may be the odd one without its ad: that is `bare`


def _misshapen(variant: float, honest: Response) -> bytes:
    whole = json.loads(honest.body)
    if not isinstance(whole, dict):
        return to_json({"items": whole})
    data = whole.get("data")
    if variant < 0.25:
        whole["data"] = {"items": data}
    elif variant < 0.5:
        whole["data"] = None
    elif variant < 0.75 and isinstance(data, list) and len(data) >= _PAGE_OF_ADS:
        whole["data"] = [{k: v for k, v in item.items() if k != "adv"} for item in data]
    else:
        return to_json([whole])
    return to_json(whole)
