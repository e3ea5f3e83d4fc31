"""`p2p exchange`: the simulated exchange, to read from instead of the real one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.starting import SUCCESS, Codes, code_list
from warehouse.errors import UserError


def exchange(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on loopback; 0: a free one.")
    ] = 0,
    replay: Annotated[
        list[Path] | None, typer.Option(help="Serve recorded books instead; may be repeated.")
    ] = None,
    faults: Annotated[str, typer.Option(help="Rates of faults, `429=0.1,cut=0.02`.")] = "",
    seed: Annotated[int, typer.Option(help="What the market's chance derives from.")] = 1,
    fiats: Codes = "",
    assets: Codes = "",
) -> int:
    """Serve the simulated exchange, official rates and spot prices until it is stopped."""
    from simulator.faults import Faults
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
        serve(source, injected, port, lambda ready: print(addresses(ready.url), flush=True))
    except (ValueError, OSError) as error:
        raise UserError(f"The simulated exchange cannot start: {error}") from error
    return SUCCESS
