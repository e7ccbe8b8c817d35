"""Alerts as a text for a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from retryscope_service.notifications.notification import NAMING
from retryscope_service.notifications.store import RememberedAlert
from retryscope_service.printable import printable

NONE: Final = "no alerts\n"
_INDENT: Final = " " * 10


def render_alerts(alerts: Iterable[RememberedAlert]) -> str:
    """The alerts in the order given: a line with status, name and times, then labels and annotations."""
    return "\n".join("\n".join(_lines(alert)) + "\n" for alert in alerts) or NONE


def _lines(alert: RememberedAlert) -> Iterator[str]:
    title = "  ".join(_plain(alert.labels[name]) for name in NAMING if name in alert.labels)
    cut = "  (too long: cut)" if alert.cut else ""
    yield f"{alert.status:8}  {title or '(no name)'}  {_times(alert)}{cut}"
    rest = {name: value for name, value in alert.labels.items() if name not in NAMING}
    if rest:
        yield _INDENT + "  ".join(f"{_plain(name)}={_plain(value)}" for name, value in _sorted(rest))
    for name, value in _sorted(alert.annotations):
        yield f"{_INDENT}{_plain(name)}: {_plain(value)}"


def _times(alert: RememberedAlert) -> str:
    since = _shown(alert.starts_at)
    if alert.status == "firing":
        return f"since {since}"
    return f"{since} to {'an unknown time' if alert.ends_at is None else _shown(alert.ends_at)}"


def _shown(time: datetime) -> str:
    return f"{time.replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def _sorted(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(texts.items())


def _plain(text: str) -> str:
    """Without what a terminal would obey; a text that was written over several lines is put on one."""
    return printable(" ".join(text.split()))
