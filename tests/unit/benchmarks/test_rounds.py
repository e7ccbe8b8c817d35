"""Ratios are of samples that were taken together."""

import random

from benchmarks.rounds import Ratio, Rounds, interleave


def test_ratios_are_paired_within_their_rounds() -> None:
    """A round in which everything is ten times slower changes nothing."""
    rounds = Rounds(
        [
            {"ours": {"cpu": 4.0}, "bare": {"cpu": 2.0}},
            {"ours": {"cpu": 30.0}, "bare": {"cpu": 10.0}},
            {"ours": {"cpu": 400.0}, "bare": {"cpu": 100.0}},
        ]
    )
    assert rounds.ratio("ours", "bare", "cpu") == Ratio(median=3.0, low=2.5, high=3.5)
    assert rounds.median("ours", "cpu") == 30.0


def test_one_round_is_its_own_spread() -> None:
    """For a quick look with --rounds 1."""
    rounds = Rounds([{"ours": {"cpu": 3.0}, "bare": {"cpu": 2.0}}])
    assert rounds.ratio("ours", "bare", "cpu") == Ratio(1.5, 1.5, 1.5)


def test_rounds_are_interleaved_and_shuffled() -> None:
    """Each round measures every variant once, in an order of its own."""
    order: list[str] = []

    def measure(variant: str) -> dict[str, float]:
        order.append(variant)
        return {"cpu": float(len(order))}

    taken = interleave("abcd", measure, rounds=5, rng=random.Random(1))
    rounds = [tuple(order[start : start + 4]) for start in range(0, 20, 4)]
    assert all(sorted(names) == list("abcd") for names in rounds)
    assert len(set(rounds)) > 1
    assert [
        sample[name]["cpu"] for sample, names in zip(taken.samples, rounds, strict=True) for name in names
    ] == [float(position) for position in range(1, 21)]
