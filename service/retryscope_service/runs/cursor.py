"""A place in the list of runs, from which it can be read on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the history: the index is ordered by score, then by id."""

    score: str
    run_id: str

    def is_behind(self, other: "Cursor") -> bool:
        """Whether it comes after the other one; runs of the same microsecond share a score."""
        return (float(self.score), self.run_id) > (float(other.score), other.run_id)
