"""What is sent: a weighted choice from the requests of a scenario, the same again with the same seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from retryscope_service.load.request import Request
from retryscope_service.load.scenarios import Share


def mixed(shares: Sequence[Share], mix: Mapping[str, float]) -> tuple[Share, ...]:
    """The requests of a scenario, re-weighted.

    A workflow is sent as often as the mix says, and not at all if it is not in the mix. Its requests keep
    their proportions; if the scenario has none of that workflow, it is sent with the service's defaults.
    """
    chosen: list[Share] = []
    for workflow, weight in mix.items():
        own = [share for share in shares if share.workflow == workflow] or [Share(workflow)]
        whole = sum(share.weight for share in own)
        chosen += (replace(share, weight=share.weight / whole * weight) for share in own)
    return tuple(chosen)


def requests(
    shares: Sequence[Share], *, time_scale: float, background: float, rng: Random
) -> Iterator[Request]:
    """Requests without an end.

    Args:
        shares: What to choose from.
        time_scale: Factor on every duration, also on the time until a request is cancelled.
        background: Share of the inline requests that are sent as background runs instead.
        rng: Source of the choices, and of the runs' seeds: what happens in a run is the same again too.
    """
    weights = [share.weight for share in shares]
    while True:
        (share,) = rng.choices(shares, weights)
        moved = rng.random() < background
        seed = rng.getrandbits(53)
        yield Request(
            share.workflow,
            {**share.params, "seed": seed, "time_scale": time_scale},
            "background" if moved and share.kind == "inline" else share.kind,
            share.after * time_scale,
        )
