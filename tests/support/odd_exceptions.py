"""Exceptions whose classes let nobody do with them what is usual, as people write them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SlottedError(Exception):
    """Refuses attributes with a TypeError."""

    code: int = 1


@dataclass(frozen=True)
class FrozenError(Exception):
    """Refuses them with an AttributeError of its own."""

    code: int = 1


@dataclass
class ComparedError(Exception):
    """Equals others, and has no hash."""

    code: int = 1


class ReadOnlyError(Exception):
    """Refuses any."""

    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError(f"{name}: read only")


class AnsweringError(Exception):
    """Has every attribute, as a mock or a proxy has."""

    def __getattr__(self, name: str) -> Any:
        return self


class RaisingError(Exception):
    """Has properties that raise."""

    @property
    def response(self) -> object:
        raise RuntimeError("the response was not read")

    @property
    def headers(self) -> object:
        raise KeyError("headers")

    @property
    def retry_after(self) -> object:
        raise ValueError("no such")


class SilentError(Exception):
    """Can't be shown."""

    def __str__(self) -> str:
        raise ValueError("broken __str__")

    def __repr__(self) -> str:
        raise ValueError("broken __repr__")


class HidingError(Exception):
    """Has properties in place of what every exception has."""

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        raise RuntimeError("no attributes")

    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise RuntimeError("no cause")

    @property
    def __context__(self) -> BaseException | None:  # type: ignore[override]
        raise RuntimeError("no context")


class UndecidedError(Exception):
    """Neither true nor false, nor equal to anything."""

    def __bool__(self) -> bool:
        raise RuntimeError("neither")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    def __hash__(self) -> int:
        raise RuntimeError("not to be kept")


class FullError(Exception):
    """Has slots of its own, and arguments that are not its message."""

    __slots__ = ("why",)

    def __init__(self, why: object = "full") -> None:
        super().__init__(why, {"not": "a message"})
        self.why = why


ODD: tuple[type[Exception], ...] = (
    SlottedError,
    FrozenError,
    ComparedError,
    ReadOnlyError,
    AnsweringError,
    RaisingError,
    SilentError,
    FullError,
    HidingError,
    UndecidedError,
    OSError,
    KeyError,
)
