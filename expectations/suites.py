"""What must hold, as data: the suites, their checks, how bad a failure is and why.

dbt's tests own row truth (keys, references, ranges). What stands here is drift, volume, coverage
and age: whether a landing is plausible enough to become history, and whether the marts say what
has landed. A failed critical check stops the line, a warning is reported. So what is wrong with a
landing as a whole is critical; what concerns one book makes that book's snapshot suspect, by the
rules of `snapshot_quality_rules`, and leaves the others alone.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from expectations.core import core_books, core_moments, core_tables
from expectations.landing import landing_books
from expectations.limits import LIMITS
from expectations.profiles import Parameters

SuiteName = Literal["landing", "core"]
Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Profile:
    """A query to be judged: how it is written, and the column that names its rows."""

    query: Callable[[Parameters, Collection[str]], str]
    label: str


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    `expectation` is the name of a class of Great Expectations and `arguments` are its own;
    `profile` is the query whose rows it judges, and `table` where those rows come from.
    """

    name: str
    suite: SuiteName
    table: str
    severity: Severity
    why: str
    profile: str
    expectation: str
    arguments: Mapping[str, Any]

    @property
    def description(self) -> str:
        """What is checked, in one line for Great Expectations."""
        return f"{self.name} ({self.severity}, {self.bounds}): {self.why}"

    @property
    def bounds(self) -> str:
        """What is expected, in a few words."""
        bounds = [
            f"{word} {self.arguments[bound]:.3g}"
            for bound, word in (("min_value", "at least"), ("max_value", "at most"))
            if bound in self.arguments
        ]
        mostly = self.arguments.get("mostly")
        share = f" for {mostly:.0%}" if mostly else ""
        return f"{' and '.join(bounds)}{share}"


PROFILES: Mapping[str, Profile] = {
    "landing_books": Profile(landing_books, "book"),
    "core_tables": Profile(core_tables, "table_name"),
    "core_books": Profile(core_books, "book"),
    "core_moments": Profile(core_moments, "book"),
}

_ROWS = "ExpectTableRowCountToBeBetween"
_EACH = "ExpectColumnValuesToBeBetween"  # nulls do not count; `mostly` is the share that must hold
_LOWEST = "ExpectColumnMinToBeBetween"
_HIGHEST = "ExpectColumnMaxToBeBetween"

CHECKS: tuple[Check, ...] = (
    Check(
        name="landing_is_not_empty",
        suite="landing",
        table="staging.snapshots",
        severity="critical",
        why="A cycle that landed nothing would pass every other check.",
        profile="landing_books",
        expectation=_ROWS,
        arguments={"min_value": 1},
    ),
    Check(
        name="some_snapshot_is_complete",
        suite="landing",
        table="staging.snapshots",
        severity="critical",
        why="When every book breaks off, the exchange or the reader is broken, not a book.",
        profile="landing_books",
        expectation=_LOWEST,
        arguments={"column": "complete_at_best", "min_value": 1},
    ),
    Check(
        name="nearly_all_offers_were_read",
        suite="landing",
        table="staging.snapshots",
        severity="warning",
        why="Offers of incomplete snapshots: their history stands still until the next reading.",
        profile="landing_books",
        expectation=_LOWEST,
        arguments={"column": "complete_share_of_all", "min_value": LIMITS.complete_share},
    ),
    Check(
        name="newest_snapshot_is_recent",
        suite="landing",
        table="staging.snapshots",
        severity="warning",
        why="Readings that are intervals old when the run ends were left over from another one.",
        profile="landing_books",
        expectation=_LOWEST,
        arguments={"column": "age_intervals", "max_value": LIMITS.age_intervals},
    ),
    Check(
        name="books_keep_their_size",
        suite="landing",
        table="staging.snapshots",
        severity="warning",
        why="A book that grew or shrank by a multiple since its last readings deserves a look.",
        profile="landing_books",
        expectation=_EACH,
        arguments={
            "column": "volume_ratio",
            "min_value": 1 / LIMITS.volume_factor,
            "max_value": LIMITS.volume_factor,
        },
    ),
    Check(
        name="both_sides_are_present",
        suite="landing",
        table="staging.snapshots",
        severity="warning",
        why="A pair that lists both sides has no spread without its other side.",
        profile="landing_books",
        expectation=_EACH,
        arguments={"column": "other_side_missing", "max_value": 0},
    ),
    Check(
        name="prices_are_positive_numbers",
        suite="landing",
        table="staging.pages",
        severity="warning",
        why="The odd bad price is left out of the facts; many are another format of the API.",
        profile="landing_books",
        expectation=_LOWEST,
        arguments={"column": "priced_share_of_all", "min_value": LIMITS.priced_share},
    ),
    Check(
        name="makers_are_on_the_opposite_side",
        suite="landing",
        table="staging.pages",
        severity="critical",
        why="Wrong in every book, it is the request: the ad carries the maker's side, not its own.",
        profile="landing_books",
        expectation=_LOWEST,
        arguments={"column": "opposite_share_at_best", "min_value": LIMITS.maker_side_share},
    ),
    Check(
        name="prices_are_near_the_last",
        suite="landing",
        table="staging.pages",
        severity="warning",
        why="Medians move by per cents between two readings; more is news, or an error.",
        profile="landing_books",
        expectation=_EACH,
        arguments={"column": "price_change", "max_value": 1 + LIMITS.price_change},
    ),
    Check(
        name="core_tables_are_not_empty",
        suite="core",
        table="marts",
        severity="critical",
        why="An empty dimension or fact passes every test of its rows.",
        profile="core_tables",
        expectation=_EACH,
        arguments={"column": "is_empty", "max_value": 0},
    ),
    Check(
        name="every_landed_snapshot_is_in_the_facts",
        suite="core",
        table="marts.fact_snapshots",
        severity="critical",
        why="A load that the transform passed over is missed for ever without a sound.",
        profile="core_books",
        expectation=_EACH,
        arguments={"column": "snapshots_missing", "max_value": 0},
    ),
    Check(
        name="standing_offers_are_those_of_the_last_snapshot",
        suite="core",
        table="marts.fact_offers",
        severity="critical",
        why="After a sound reading the current offers are the offers it read, to the last.",
        profile="core_books",
        expectation=_EACH,
        arguments={"column": "standing_difference", "min_value": 0, "max_value": 0},
    ),
    Check(
        name="versions_of_an_offer_do_not_overlap",
        suite="core",
        table="marts.fact_offers",
        severity="critical",
        why="Two versions at one time count an offer twice in every mart.",
        profile="core_books",
        expectation=_EACH,
        arguments={"column": "overlapping_versions", "max_value": 0},
    ),
    Check(
        name="newest_complete_snapshot_is_recent",
        suite="core",
        table="marts.fact_snapshots",
        severity="warning",
        why="Marts that are intervals behind are read as if they were the present.",
        profile="core_books",
        expectation=_LOWEST,
        arguments={"column": "age_intervals", "max_value": LIMITS.age_intervals},
    ),
    Check(
        name="no_book_is_suspect",
        suite="core",
        table="marts.fact_snapshots",
        severity="warning",
        why="Its prices are withheld; quality_reasons of its last snapshot says why.",
        profile="core_books",
        expectation=_EACH,
        arguments={"column": "is_suspect", "max_value": 0},
    ),
    Check(
        name="offers_are_spread_over_advertisers",
        suite="core",
        table="marts.fact_offers",
        severity="warning",
        why="Recorded: 93% of the advertisers have one offer. Few of them: numbers went missing.",
        profile="core_books",
        expectation=_LOWEST,
        arguments={
            "column": "advertisers_share_of_all",
            "min_value": LIMITS.advertisers_share,
        },
    ),
    Check(
        name="limit_fictions_are_not_the_rule",
        suite="core",
        table="marts.fact_offers",
        severity="warning",
        why="When most offers are flagged, the rule or the quantities are wrong, not the market.",
        profile="core_books",
        expectation=_HIGHEST,
        arguments={"column": "limit_fiction_share_of_all", "max_value": LIMITS.flagged_share},
    ),
    Check(
        name="offers_off_the_market_are_not_the_rule",
        suite="core",
        table="marts.fact_offer_snapshots",
        severity="warning",
        why="When most offers lie off their market, the reference price is wrong.",
        profile="core_moments",
        expectation=_EACH,
        arguments={"column": "off_market_share_of_all", "max_value": LIMITS.flagged_share},
    ),
)


def checks_of(suite: SuiteName) -> tuple[Check, ...]:
    """The checks of one suite, in the order in which they are reported."""
    return tuple(check for check in CHECKS if check.suite == suite)
