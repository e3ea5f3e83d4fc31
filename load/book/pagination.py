"""Which pages of a book are left to ask for, and whether those that came are all of it.

The first page announces how many offers there are, so the others can be asked for together. The
book moves meanwhile: the total drifts, and a page may be asked for that is past the end by the time
it is answered. How many offers a page holds is learned from the pages themselves: the exchange caps
the number asked for in silence.
"""

from load.exchange.calls import ROWS

MOST_PAGES = 500


class Pagination:
    """The pages of one reading, each known by its number from 1, in whatever order they come."""

    def __init__(self) -> None:
        """No page has been asked for."""
        self.asked = 0
        """Pages 1 to this one have been asked for."""
        self.smallest_total: int | None = None
        """The smallest number of offers that a page announced, of those that can be true."""
        self._items: dict[int, int] = {}
        self._ends: dict[int, bool] = {}
        """By page without offers: whether it is where the totals say that the book ends."""
        self._latest_total: int | None = None
        self._lost = 0
        self._is_closed = False

    @property
    def in_flight(self) -> int:
        """Pages that have been asked for, and neither been answered nor lost."""
        return self.asked - len(self._items) - self._lost

    def next_page(self) -> int | None:
        """The page to ask for now; None if there is none, or the first has not been answered."""
        number = self.asked + 1
        if self._is_closed or number > min(self._last, MOST_PAGES):
            return None
        return number

    def ask(self, number: int) -> None:
        """Note that this page, `next_page`, is asked for."""
        self.asked = number

    def lose(self) -> None:
        """Note that a page cannot be had: ask for no further one."""
        self._lost += 1
        self.close()

    def close(self) -> None:
        """Ask for no further page."""
        self._is_closed = True

    def fits(self, number: int, items: int, total: int | None) -> bool:
        """Whether `total` can be that of the book which this page was taken from.

        Now and then an answer is empty where it should not be, and may announce 0 then: such a
        total must not make a book look whole that was cut off.
        """
        if total is None:
            return False
        before = (number - 1) * self._size
        if items:
            return total >= before + items
        return max(before - self._size, -1) < total <= before

    def is_end(self, number: int, total: int | None) -> bool:
        """Whether a page without offers is past the end of the book."""
        if total is None:
            return self._latest_total is None
        return self.fits(number, 0, total)

    def answered(self, number: int, items: int, total: int | None) -> None:
        """Note how many offers a page holds, and how many it says that the book has."""
        is_promise = total is not None and total > (number - 1) * self._size
        is_fit = self.fits(number, items, total)
        if not items:
            self._ends[number] = self.is_end(number, total)
        self._items[number] = items
        if total is not None and (is_fit or (not items and is_promise)):
            smallest = self.smallest_total
            self.smallest_total = total if smallest is None else min(smallest, total)
        if is_fit:
            self._latest_total = total

    @property
    def is_too_long(self) -> bool:
        """Whether the book goes on behind the last page that is read of any."""
        return self._last > MOST_PAGES

    @property
    def is_at_odds(self) -> bool:
        """Whether the first page without offers came where the totals promise some."""
        return bool(self._ends) and not self._ends[min(self._ends)]

    @property
    def has_hole(self) -> bool:
        """Whether a page without offers stands before one with some."""
        if not self._ends:
            return False
        return min(self._ends) < max(self._items.keys() - self._ends.keys(), default=0)

    @property
    def _size(self) -> int:
        """How many offers a page holds that is not the last; what was asked for, until known."""
        first = self._items.get(1)
        if not first or first >= ROWS or self._ends_with_first(first):
            return ROWS
        return max(self._items.values())

    def _ends_with_first(self, items: int) -> bool:
        return self._latest_total is not None and self._latest_total <= items

    @property
    def _last(self) -> int:
        """The page that looks like the last one, by what is known now."""
        if 1 not in self._items:
            return 1
        if self._ends:
            return min(self._ends)
        if self._latest_total is not None:
            return -(-self._latest_total // self._size)
        last = max(self._items)
        # Without a total a short first page may be a capped one: the second will show.
        return last + (last == 1 or self._items[last] >= self._size)
