"""Telling the runs of a loop apart, for the random numbers that they draw."""

from __future__ import annotations

# the golden ratio in 64 bits, signed: multiples of it lie far apart (Knuth, section 6.4)
_SPREAD = 0x9E3779B97F4A7C15


def spread(depth: int) -> int:
    """An odd number for each depth of nesting, by which runs are told apart."""
    number = pow(_SPREAD, depth + 1, 2**64)
    return number - 2**64 if number >= 2**63 else number
