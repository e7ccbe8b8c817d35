"""Texts as whoever means harm, or another alphabet, writes them."""

import unicodedata
from typing import Final

from hypothesis import strategies as st

_OBEYED: Final = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\r",
    "\n",
    "\x85",
    "\u2028",
    "\u202e",
    "\x7f",
    "\0",
]
_HARD: Final = ["\ud800", "\udcff", "e\u0301", "\u200d", "宽", "\U000e0001", "\ue000", '"', "\\", "[/bold]"]

TEXTS: Final = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(), max_size=30),  # lone surrogates too
    st.lists(st.sampled_from([*_OBEYED, *_HARD, "a", " "]), max_size=12).map("".join),
)
"""All of Unicode, most often what is dangerous."""


def is_harmless(line: str) -> bool:
    """Whether a line has nothing in it that a terminal obeys, and can be written in UTF-8."""
    return all(c == " " or unicodedata.category(c)[0] not in "CZ" for c in line)
