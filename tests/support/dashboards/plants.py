"""Ways to break a good dashboard, by default one of its panels: to see that a rule finds it."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.dashboards.model import Json, panels

Plant = Callable[[Json], object]


def panel(dashboard: Json, title: str) -> Json:
    (found,) = (each for each in panels(dashboard) if each["title"] == title)
    return found


def defaults(dashboard: Json, title: str) -> Json:
    found: Json = panel(dashboard, title)["fieldConfig"]["defaults"]
    return found


def asks(expression: str, title: str = "Rate now", query: int = 0) -> Plant:
    """The panel asks this instead."""
    return lambda d: panel(d, title)["targets"][query].update(expr=expression)


def queries_with(title: str = "Rate now", **values: Any) -> Plant:
    """The panel's first query has this instead."""
    return lambda d: panel(d, title)["targets"][0].update(values)


def both(one: Plant, other: Plant) -> Plant:
    """Two faults that are one only together."""
    return lambda d: (one(d), other(d))


def says(key: str, value: Any, title: str = "Rate now") -> Plant:
    """The panel has this instead."""
    return lambda d: panel(d, title).update({key: value})


def replaces(old: str, new: str, title: str = "Rate now") -> Plant:
    """The panel has one text instead of another."""

    def plant(dashboard: Json) -> None:
        found = panel(dashboard, title)
        text = json.dumps(found)
        assert old in text
        found.clear()
        found.update(json.loads(text.replace(old, new)))

    return plant


def leads(url: str, title: str = "Rate now") -> Plant:
    """The panel's link leads there instead."""
    return lambda d: defaults(d, title)["links"][0].update(url=url)


def searches(query: str) -> Plant:
    """The list of traces asks this instead."""
    return lambda d: panel(d, "Failed and cancelled workflows")["targets"][0].update(query=query)


def variable(which: str, /, **values: Any) -> Plant:
    """The variable has this instead."""

    def plant(dashboard: Json) -> None:
        (found,) = (each for each in dashboard["templating"]["list"] if each["name"] == which)
        found.update(values)

    return plant


def selects(name: str, query: str) -> Plant:
    """The variable asks this instead."""
    return variable(name, query={"query": query, "refId": name})


def moved(title: str, **place: int) -> Plant:
    """The panel is elsewhere."""
    return lambda d: panel(d, title)["gridPos"].update(place)


def exemplars_of(query: int, value: bool, title: str = "Duration") -> Plant:
    """The query asks for exemplars, or does not."""
    return lambda d: panel(d, title)["targets"][query].update(exemplar=value)


def legend(title: str = "Duration", **values: Any) -> Plant:
    """The panel's legend has this instead."""
    return lambda d: panel(d, title)["options"]["legend"].update(values)


def legends(text: str, title: str = "Duration") -> Plant:
    """The panel's first query names its series so."""
    return lambda d: panel(d, title)["targets"][0].update(legendFormat=text)


def unmapped(title: str) -> Plant:
    """The panel has no word for no value."""
    return lambda d: defaults(d, title).update(mappings=[])


def without(key: str, title: str) -> Plant:
    """The panel's lines do without this."""
    return lambda d: defaults(d, title)["custom"].pop(key)
