"""`p2p exchange`: the simulated exchange, to read from instead of the real one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.starting import SUCCESS, Codes, code_list
from warehouse.errors import UserError


def exchange(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on loopback; 0: a free one.")
    ] = 0,
    replay: Annotated[
        list[Path] | None, typer.Option(help="Serve recorded books instead; repeatable.")
    ] = None,
    faults: Annotated[
        str,
        typer.Option(help="Share of faulty responses: `429=0.1,cut=0.02`; `after=15` delays them."),
    ] = "",
    seed: Annotated[int, typer.Option(help="Random seed.")] = 1,
    fiats: Codes = "",
    assets: Codes = "",
    stands_still: Annotated[
        bool, typer.Option("--still", help="Keep the market unchanged while it is read.")
    ] = False,
    answers_at_once: Annotated[
        bool, typer.Option("--at-once", help="Answer without delay or throttling.")
    ] = False,
) -> int:
    """Serve the simulated exchange, official rates and spot prices until it is stopped.

    The market changes in real time. A response takes 0.2 to 0.4 s. It throttles: 429, then 418.
    """
    from simulator.clock import still
    from simulator.faults import Faults
    from simulator.manners import AT_ONCE, REAL
    from simulator.market import Market
    from simulator.replay import Replay
    from simulator.server import serve

    def addresses(url: str) -> str:
        names = ("P2P_API_URL", "P2P_RATES_URL", "P2P_SPOT_URL")
        return "\n".join(f"{name}={url}" for name in names)

    try:
        source = (
            Replay(replay)
            if replay
            else Market(seed, code_list(fiats), code_list(assets), datetime.now(UTC))
        )
        injected = Faults.parse(faults, seed) if faults else None
        serve(
            source,
            injected,
            port,
            lambda ready: print(addresses(ready.url), flush=True),
            clock=still() if stands_still else None,
            manners=AT_ONCE if answers_at_once else REAL,
        )
    except (ValueError, OSError) as error:
        raise UserError(f"The simulated exchange cannot start: {error}") from error
    return SUCCESS
