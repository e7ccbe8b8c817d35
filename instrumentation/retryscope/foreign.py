"""Other people's exceptions: asked for what they carry, and added to, whatever their class makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

# Read past the class: it may have made properties of these names.
_Get = Callable[[BaseException], Any]
CAUSE: Final[_Get] = vars(BaseException)["__cause__"].__get__
CONTEXT: Final[_Get] = vars(BaseException)["__context__"].__get__
ATTRIBUTES: Final[Callable[[BaseException], dict[str, Any]]] = vars(BaseException)["__dict__"].__get__
TRACEBACK: Final[_Get] = vars(BaseException)["__traceback__"].__get__
_SUPPRESSED: Final[_Get] = vars(BaseException)["__suppress_context__"].__get__


def peek(holder: object, name: str) -> Any:
    """An attribute, or None: a class may answer for every name, and a property may raise."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None


def add_note(error: BaseException, note: str) -> bool:
    """Add a note for whoever reads the traceback; whether its class lets anybody."""
    try:
        error.add_note(note)
    except Exception:  # a frozen dataclass, for example
        return False
    return True


def cause_of(error: BaseException) -> BaseException | None:
    """What Python shows as the reason for an exception, whatever its class makes of these names."""
    cause: BaseException | None = CAUSE(error)
    if cause is not None or _SUPPRESSED(error):
        return cause
    context: BaseException | None = CONTEXT(error)
    return context
