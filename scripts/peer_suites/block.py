"""The retry as a block, as the peers have it: `async for attempt in ...: with attempt:`."""

import types
from collections.abc import Coroutine, Generator
from typing import Any, Self

from retryscope import retry

_BODY = object()
"""What the call yields, in place of a future, when its attempt is to be made: by the block's body."""


@types.coroutine
def _body() -> Generator[object, None, None]:
    yield _BODY


class Attempt:
    """Takes what the block's body raises to the call, and lets nothing out."""

    def __init__(self, block: "Block", number: int) -> None:
        self._block = block
        self.num = number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> bool:
        self._block.after_body(error)
        return error is not None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, tb: object) -> bool:
        return self.__exit__(kind, error, tb)


class Block:
    """One call of the library's, in the task of the block: its attempt is suspended while the body runs.

    Whether there is another attempt, when, and what is raised in the end is the call's alone.
    """

    def __init__(self, retrying: retry) -> None:
        self._call: Coroutine[Any, Any, None] = retrying.call(self._attempt)
        self._error: BaseException | None = None
        self._ended = False
        self._number = 0

    async def _attempt(self) -> None:
        self._number += 1
        await _body()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Attempt:
        if self._ended or not await self._until_body():
            raise StopAsyncIteration
        return Attempt(self, self._number)

    def after_body(self, error: BaseException | None) -> None:
        """After a success the block may be left by `return`: the call ends here, and waits for nothing."""
        if error is not None:
            self._error = error
            return
        try:
            self._call.send(None)
        except StopIteration:
            self._ended = True
        else:
            raise AssertionError("a call whose attempt has succeeded goes on")

    @types.coroutine
    def _until_body(self) -> Generator[Any, Any, bool]:
        """Let the call run until it wants another attempt: what it waits for, the task waits for."""
        error, self._error = self._error, None
        try:
            waits_for = self._call.send(None) if error is None else self._call.throw(error)
            while waits_for is not _BODY:
                try:
                    answer = yield waits_for
                except BaseException as raised:  # a cancel
                    waits_for = self._call.throw(raised)
                else:
                    waits_for = self._call.send(answer)
        except StopIteration:
            return False
        return True
