"""SplitMix64 (Steele, Lea, Flood 2014) of counters: the pseudo-random numbers that scripts and C tests share.

`reference.c` has the same in C.  Number i of a seed depends on both alone.
"""
import numpy as np


def words(first, count, seed=0):
    """Returns numbers first, first + 1, ... of a seed, 64 bits each, [count]."""
    with np.errstate(over="ignore"):
        i = np.arange(count, dtype=np.uint64) + np.uint64(first)
        x = np.uint64(seed) + (i + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def uniform(first, count, seed=0):
    """Returns the upper 52 bits of words as the middles of equal parts of (0, 1), in double."""
    return ((words(first, count, seed) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0 ** -52
