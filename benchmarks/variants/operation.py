"""The operation as both instrumented variants name it."""

from typing import Final

from retryscope import Operation

FETCH: Final = Operation("fetch", workflow="benchmark")

SPANS_OF_A_SUCCESS: Final = 2
"""retry, attempt."""
SPANS_OF_A_RETRY: Final = 4
"""retry, attempt, backoff, attempt."""
