"""`p2p run`: one cycle over the market."""

from __future__ import annotations

from flows.starting import INTERRUPTED, SUCCESS, Codes, Verbose, start
from warehouse.errors import BadSetting
from warehouse.settings import load_settings


def run(fiats: Codes = "", assets: Codes = "", verbose: Verbose = False) -> int:
    """Run one cycle: load, check, transform, check."""
    given = {name: codes for name, codes in (("fiats", fiats), ("assets", assets)) if codes.strip()}
    try:
        return _run(given, verbose)
    except BadSetting as refusal:
        raise refusal.given_by({f"P2P_{name.upper()}": f"--{name}" for name in given}) from None


def _run(given: dict[str, str], verbose: bool) -> int:
    # Read once more as settings, so that a wrong code is refused as there.
    settings = load_settings(**given)
    start(settings, verbose=verbose)
    from cli.console import CycleProgress, cell, out
    from flows.cycle import SURROUNDINGS, Surroundings
    from flows.running import cycle_function

    run_cycle = cycle_function(settings.home)
    unlisted: list[str] = []
    with CycleProgress() as progress:
        SURROUNDINGS.set(
            Surroundings(
                settings=settings,
                on_progress=progress.loaded,
                on_step=progress.step,
                on_unlisted=unlisted.extend,
            )
        )
        outcome = run_cycle()
    counts = outcome.counts
    out.print(
        f"Cycle {outcome.run_id}: {outcome.state} in {outcome.seconds:.0f} s. "
        f"{counts['books_read']} books read of {counts['books_planned']} planned, "
        f"{counts['books_complete']} complete, {counts['books_unchanged']} unchanged; "
        f"{counts['offers']:,} offers, {counts['requests']:,} requests."
    )
    if unlisted:
        where = "--fiats" if "fiats" in given else "P2P_FIATS"
        out.print(f"{where} {','.join(unlisted)}: the exchange lists no book of these.")
    if outcome.drift:
        out.print(cell(outcome.drift))
    return SUCCESS if outcome.is_success else INTERRUPTED
