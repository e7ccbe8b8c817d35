"""What went wrong inside a run: the last error, and of which types there were any."""

from typing import Final

from retryscope import semconv

MAX_TYPES: Final = 10
"""Types that are remembered of one run; another one is ``_OTHER``."""
MAX_MESSAGE: Final = 300
"""Characters of a message: it is for a row in a list, and hundreds of runs are listed."""


class RunErrors:
    """The errors of one run.

    Attributes:
        last: Type and message of the last operation that failed, or of the run itself.
        types: In the order in which they came first, also those of attempts that were followed by a success.
    """

    __slots__ = ("last", "types")

    def __init__(self) -> None:
        self.last: dict[str, str] | None = None
        self.types: dict[str, None] = {}

    def add_type(self, error_type: str) -> None:
        """An attempt failed: whether that matters is not known yet."""
        if error_type not in self.types:
            self.types[error_type if len(self.types) < MAX_TYPES - 1 else semconv.OTHER] = None

    def add(self, error: dict[str, str] | None) -> None:
        """An operation failed, or the run."""
        if error is not None:
            self.add_type(error["type"])
            self.last = {"type": error["type"], "message": error["message"][:MAX_MESSAGE]}
