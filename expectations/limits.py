"""Every threshold of the checks, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Where a number stops being plausible; shares are fractions of 1.

    The figures lean on a recorded market: a book doubles between night and noon, up to 22% of its
    offers are gone after two hours, and prices of single offers reach 3.2 times the median.
    """

    # Coverage
    complete_share: float = 0.95  # of the announced offers

    # Age
    age_intervals: float = 3.0

    # Volume against the book's own past
    comparable_offers: int = 10  # a smaller book says nothing by its size
    past_snapshots: int = 3  # nor does one with fewer complete readings
    remembered_snapshots: int = 10
    remembered_days: int = 7
    volume_factor: float = 3.0

    # Sides
    other_side_hours: int = 24
    maker_side_share: float = 0.5

    # Prices
    priced_share: float = 0.99
    priced_offers: int = 5  # a median of fewer is one advertiser's wish
    price_change: float = 0.2
    price_memory_hours: int = 36  # an older level is no measure

    # The core tables
    flagged_share: float = 0.6
    advertisers_share: float = 0.2  # recorded: 1.05 to 1.11 offers an advertiser


LIMITS = Limits()
