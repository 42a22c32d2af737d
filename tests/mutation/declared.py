"""Which tests must find a mutant, and what is made ready before each."""

TESTS = ("tests/core", "tests/properties")
"""Tests of the core: quick, and nearest to what they test. A simulated fleet would find more,
a thousand times slower; a mutant that only a whole fleet notices is a test that the core lacks."""

CACHES = (("text.firewall", "_VISIBLE"),)
"""Module and name of what the core keeps between two calls, ``lru_cache`` aside. Emptied before
each test: a mutant that makes a value to be kept would be seen by the first test alone."""
