"""What the random trees of primitives are drawn from."""

from hypothesis import strategies as st

from retryscope import Operation
from tests.unit.retryscope.helpers import PRICE, STOCK

AFTER = Operation("after", workflow="checkout")
"""Runs when a tree has ended, and is to find nothing of it."""

seconds = st.integers(0, 12).map(lambda quarters: quarters / 4)
"""Few distinct times, so that timers, cancels and ends often meet in the same turn of the loop."""
limits = st.integers(1, 16).map(lambda quarters: quarters / 4)
operations = st.sampled_from([PRICE, STOCK])
