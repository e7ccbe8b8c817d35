"""Texts from elsewhere, as a terminal may have them."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.printable import printable, printable_lines
from tests.support.texts import TEXTS, is_harmless


def test_what_is_escaped_and_what_is_cut() -> None:
    assert printable("done\x1b[2J\n\u202edenied") == r"done\x1b[2J\n\u202edenied"
    assert printable("a long message", limit=7) == "a long…"
    assert printable_lines("two\nlines\r") == "two\nlines\\r"


@given(TEXTS, st.none() | st.integers(1, 20))
def test_a_printable_text_is_one_harmless_line_of_bounded_length(text: str, limit: int | None) -> None:
    shown = printable(text, limit)
    assert is_harmless(shown)
    assert limit is None or len(shown) <= limit
    assert printable(shown, limit) == shown


def test_every_character_there_is_is_shown_or_escaped() -> None:
    """What can be seen stays as it is."""
    for c in map(chr, range(sys.maxunicode + 1)):
        assert printable(c) == c if is_harmless(c) else is_harmless(printable(c))
    assert printable("naïve 宽 🌩 e\u0301") == "naïve 宽 🌩 e\u0301"


@given(TEXTS)
def test_only_the_line_breaks_of_a_text_of_several_lines_stay(text: str) -> None:
    shown = printable_lines(text)
    assert all(map(is_harmless, shown.split("\n")))
    assert shown.count("\n") == text.count("\n")
