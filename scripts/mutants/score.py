"""What is printed: the score, and each survivor with the reason why it changes nothing."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.mutants.changes import SOURCES, Mutant
from scripts.mutants.run import BROKEN, KILLED, SURVIVED, TIMED_OUT

EXPLAINED = Path(__file__).with_name("survivors.toml")


def explained() -> dict[tuple[str, str, str], str]:
    """Why survivors change nothing, by where and what they are."""
    if not EXPLAINED.is_file():
        return {}
    entries = tomllib.loads(EXPLAINED.read_text()).get("survivor", [])
    return {
        (each["file"], each["function"], change.strip("\n")): each["why"]
        for each in entries
        for change in each["changes"]
    }


def print_all(outcomes: Sequence[tuple[Mutant, str]]) -> bool:
    """The score, by file and in all, and each survivor; whether they, and nothing else, are explained."""
    reasons = explained()
    files = sorted({mutant.file for mutant, _ in outcomes})
    print(
        f"\n{'':44}{'mutants':>8}{'killed':>8}{'timed out':>11}{'survived':>10}{'explained':>11}{'score':>8}"
    )
    for file in [*files, None]:
        of_file = [(mutant, outcome) for mutant, outcome in outcomes if file in {mutant.file, None}]
        counts = Counter(outcome for _, outcome in of_file)
        known = sum(outcome == SURVIVED and mutant.key in reasons for mutant, outcome in of_file)
        name = "all" if file is None else str(file.relative_to(SOURCES))
        score = (counts[KILLED] + counts[TIMED_OUT]) / max(1, len(of_file))
        print(
            f"{name:44}{len(of_file):8}{counts[KILLED]:8}{counts[TIMED_OUT]:11}{counts[SURVIVED]:10}"
            f"{known:11}{score:8.1%}"
        )
    survivors = sorted(
        (mutant for mutant, outcome in outcomes if outcome == SURVIVED),
        key=lambda each: (each.file, each.line),
    )
    for mutant in survivors:
        where = f"{mutant.file.relative_to(SOURCES)}:{mutant.line} {mutant.name}"
        print(f"\n{where}\n{mutant.change}\n# {reasons.get(mutant.key, 'NOT EXPLAINED')}")
    survived = {mutant.key for mutant in survivors}
    stale = [mutant.key for mutant, _ in outcomes if mutant.key in reasons and mutant.key not in survived]
    for place, function, change in stale:
        print(f"\n{place} {function}\n{change}\n# KILLED: no reason is needed in {EXPLAINED.name}")
    for mutant, outcome in (
        (mutant, outcome) for mutant, outcome in outcomes if outcome in {TIMED_OUT, BROKEN}
    ):
        print(f"\n{outcome}: {mutant.file.relative_to(SOURCES)}:{mutant.line} {mutant.name}\n{mutant.change}")
    return not stale and all(mutant.key in reasons for mutant in survivors)
