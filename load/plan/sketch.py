"""How much of a book differs from the reading before: estimated from some bytes, not from both.

The sketch of a book is a row of parities: each thing said in it (an offer as it stands, by its
digest) flips one bit. What stands in both readings flips the same bit twice, so the bits that
differ are owed to what was said in one reading alone: of n such things about
`m / 2 * (1 - (1 - 2 / m) ** n)` of the m bits differ. Where little changes, as from one cycle to
the next, that counts almost exactly, where as many bytes of minimum hashes would see steps of a
few per cent.
"""

from collections.abc import Iterable
from math import log

_FEWEST_BITS, _MOST_BITS = 32, 1_024
_BITS_AN_OFFER = 2
_FULL = 0.45  # of the bits, beyond which chance says more than the book


def sketch(digests: Iterable[tuple[str, bytes]]) -> str:
    """Of a book's (number, digest), in hexadecimal digits: 8 for a small book, 256 at the most."""
    said = {content for _, content in digests}
    bits = _FEWEST_BITS
    while bits < min(_MOST_BITS, _BITS_AN_OFFER * len(said)):
        bits *= 2
    parities = 0
    for content in said:
        parities ^= 1 << int.from_bytes(content[:2], "big") % bits
    return f"{parities:0{bits // 4}x}"


def differing(before: str, after: str) -> float:
    """About how many things two readings do not have in common: a revised offer counts as two.

    Sketches of unequal size are compared at that of the smaller; what is too much to be told apart
    from everything counts as somewhat more than there are bits.
    """
    digits = min(len(before), len(after))
    bits = 4 * digits
    odd = (_folded(before, bits) ^ _folded(after, bits)).bit_count()
    return log(1 - 2 * min(odd / bits, _FULL)) / log(1 - 2 / bits)


def _folded(digits: str, bits: int) -> int:
    """The sketch as it would be of so many bits: what falls onto one bit adds up."""
    parities, size = int(digits, 16), 4 * len(digits)
    while size > bits:
        size //= 2
        parities = (parities >> size) ^ (parities & ((1 << size) - 1))
    return parities
