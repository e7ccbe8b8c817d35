"""What P2, P3 and P10 share: the servers and what loads them, and a sample of one route of one server.

CPU of the server's process for a request is what is compared, because it holds on a machine with two cores
that server, load and receiver share; the requests a second stand beside it. What the server has recorded is
exported before the clock stops.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from . import child
from .http_server import PATHS, SERVERS, absent
from .receiver import Receiver
from .rounds import Sample

Load = Callable[..., Sample]
"""Of a server by name: which route, how many requests, and at which rate."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many requests a sample has, over how many connections."""

    requests: int = 2_000
    connections: int = 32


@contextmanager
def loaded_servers(receiver: Receiver, number: str, names: Sequence[str], size: Size) -> Iterator[Load]:
    """The servers run side by side, and one at a time has something to do."""
    paths = {name: f"{number}/{name}".replace(" ", "-") for name in names}
    tasks = {name: {"server": name, "endpoint": receiver.endpoint(paths[name])} for name in names}
    expected = dict.fromkeys(names, 0)
    with (
        child.running("benchmarks.http_server", tasks) as servers,
        child.running("benchmarks.http_load", {"load": {"connections": size.connections}}) as loads,
    ):

        def load(name: str, route: str, rate: float = 0.0, requests: int = size.requests) -> Sample:
            before = servers[name]()
            taken = loads["load"](port=int(before["port"]), path=PATHS[route], requests=requests, rate=rate)
            cpu = servers[name]()["cpu"] - before["cpu"]
            expected[name] += int(taken["requests"]) * SERVERS[name].spans(route)
            return {**taken, "cpu": cpu / taken["requests"]}

        for name in names:
            load(name, "trivial")
        yield load
        for name in names:
            arrived = receiver.spans(paths[name])
            assert arrived == expected[name], f"{name}: of {expected[name]} spans {arrived} arrived"


def present(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the servers that can be measured here."""
    missing = absent()
    return tuple(name for name in names if name not in missing)
