"""Every threshold of the checks, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Where a number stops being plausible; shares are fractions of 1.

    The figures lean on a recorded market: a book doubles between night and noon, up to 22% of its
    offers are gone after two hours, and prices of single offers reach 3.2 times the median.
    """

    # Coverage
    complete_share_warning: float = 0.95
    complete_share_critical: float = 0.5
    drift_offers: int = 2  # a book moves while it is read: so many may be missing from any book
    missing_share: float = 0.05  # ... and this share of a large one
    covered_books_share: float = 0.9

    # Age
    age_intervals: float = 3.0

    # Volume against the book's own past
    comparable_offers: int = 10  # a smaller book says nothing by its size
    past_snapshots: int = 3  # nor does one with fewer complete readings
    remembered_snapshots: int = 10
    remembered_days: int = 7
    volume_factor: float = 3.0
    collapse_factor: float = 5.0
    collapsed_books_share: float = 0.5

    # Sides
    other_side_hours: int = 24
    maker_side_share: float = 0.99
    swapped_share: float = 0.5
    swapped_offers: int = 3  # in a book of one or two offers an odd one is no swap

    # Prices
    priced_share: float = 0.99
    priced_offers: int = 5  # a median of fewer is one advertiser's wish
    price_change: float = 0.2
    price_leap: float = 10.0
    price_leap_of_many: float = 3.0
    many_books: int = 4
    leaping_books_share: float = 0.5
    price_memory_hours: int = 36  # an older level is no measure: a redenomination must not stop us

    # The core tables
    flagged_share: float = 0.6
    advertisers_share: float = 0.2  # recorded: 1.05 to 1.11 offers an advertiser


LIMITS = Limits()
