"""A result as a measurement gives it, for the tests of all that shows one."""

from benchmarks.findings import Finding
from benchmarks.result import Column, Result
from benchmarks.rounds import Rounds

RESULT = Result(
    title="P1  some calls",
    variants=("bare loop", "fast path"),
    columns=(Column("cpu", "CPU us/call", ("bare loop",), scale=1e6),),
    rounds=Rounds([{"bare loop": {"cpu": 2e-6}, "fast path": {"cpu": 8e-6}}]),
    findings={"P1/bare": Finding(4.0, 3.5, 4.5), "P5/10k/lost": Finding(0.0)},
    notes=("every span arrived",),
    absent={"fastotel": "not installed"},
)
