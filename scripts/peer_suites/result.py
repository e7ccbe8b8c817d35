"""What came of one suite."""

import sys
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """Its tests by name: how many passed, what those that failed said, why the others do not apply."""

    what: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    """Names that are listed as not applying, and that the suite does not have."""

    @property
    def good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.stale

    def show(self) -> None:
        """The counts; then each test that does not apply, once for all its parameters; then what is wrong."""
        counts = f"{self.passed} passed, {len(self.failed)} failed, {len(self.left_out)} do not apply"
        print(f"{self.what}: {counts}")
        tests = Counter((case.partition("[")[0], reason) for case, reason in self.left_out.items())
        for (name, reason), cases in tests.items():
            print(f"  does not apply: {name}{f' ({cases} cases)' if cases > 1 else ''}: {reason}")
        for name in self.stale:
            print(f"  listed as not applying, but there is no such test: {name}")
        sys.stdout.flush()
        for report in self.failed:
            print(report, file=sys.stderr)


def by_name(reasons: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The reason of each name, of the names that have a reason in common."""
    return {name: reason for reason, names in reasons.items() for name in names}
