"""What moves the simulator, and what it tells of itself: the paths below `/simulator/`.

POST `advance` {"minutes"}, `faults` {"faults", "seed"}, `shift` {"minutes", and what shifts}.
GET `health`, `changes?since=` (a number), `truth` (of a seeded market; `Truth.parse` reads it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from simulator.answers import Illegal, Response, not_found, read_body, to_json
from simulator.faults import Faults
from simulator.market import Market
from simulator.shifts import Shift

if TYPE_CHECKING:
    from simulator.server import Exchange


def control(exchange: Exchange, path: str, body: bytes) -> Response:
    """The answer to a request to move something."""
    try:
        request = read_body(body)
        if path == "/simulator/advance":
            exchange.advance(float(request.get("minutes", 0.0)))
        elif path == "/simulator/faults":
            text, seed = str(request.get("faults", "")), int(request.get("seed", 0))
            exchange.faults = Faults.parse(text, seed) if text else None
        elif path == "/simulator/shift":
            minutes = float(request.pop("minutes", 0.0))
            exchange.source.schedule(Shift.parse(request), minutes)
        else:
            return not_found(path)
    except Illegal:
        return Response(400, to_json({"error": "not a JSON object"}))
    except (TypeError, ValueError) as error:
        return Response(400, to_json({"error": str(error)}))
    return Response(200, to_json({"now": exchange.source.now.isoformat()}))


def tell(exchange: Exchange, path: str, query: str) -> Response:
    """The answer to a question about the simulator itself."""
    source = exchange.source
    asked = {key: values[0] for key, values in parse_qs(query).items()}
    if path == "/simulator/health":
        health: dict[str, Any] = {
            "now": source.now.isoformat(),
            "fiats": len(source.fiats),
            "requests": dict(exchange.requests),
            "faults": exchange.faults.rates if exchange.faults else {},
        }
        return Response(200, to_json(health))
    if path == "/simulator/changes":
        since = asked.get("since", "")
        number = int(since) if since.isdecimal() else 0
        return Response(200, to_json([change.written() for change in source.changes(number)]))
    if path == "/simulator/truth" and isinstance(source, Market):
        return Response(200, to_json(source.truth().written()))
    return not_found(path)
