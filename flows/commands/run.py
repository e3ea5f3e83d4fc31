"""`p2p run`: one cycle over the market."""

from __future__ import annotations

from flows.commands.starting import INTERRUPTED, SUCCESS, Codes, Verbose, start
from warehouse.settings import load_settings


def run(fiats: Codes = "", assets: Codes = "", verbose: Verbose = False) -> int:
    """Run one cycle: load, check, transform, check."""
    # Read once more as settings, so that a wrong code is refused as there.
    given = {"fiats": fiats, "assets": assets}
    settings = load_settings(**{name: codes for name, codes in given.items() if codes.strip()})
    start(settings, verbose=verbose)
    from flows.console import CycleProgress, cell, out
    from flows.cycle import SURROUNDINGS, Surroundings
    from flows.running import cycle_function

    run_cycle = cycle_function(settings.home)
    with CycleProgress() as progress:
        SURROUNDINGS.set(
            Surroundings(settings=settings, on_progress=progress.loaded, on_step=progress.step)
        )
        outcome = run_cycle()
    counts = outcome.counts
    out.print(
        f"Cycle {outcome.run_id}: {outcome.state} in {outcome.seconds:.0f} s. "
        f"{counts['books_read']} books read of {counts['books_planned']} planned, "
        f"{counts['books_complete']} complete, {counts['books_unchanged']} unchanged; "
        f"{counts['offers']:,} offers, {counts['requests']:,} requests."
    )
    if outcome.drift:
        out.print(cell(outcome.drift))
    return SUCCESS if outcome.is_success else INTERRUPTED
