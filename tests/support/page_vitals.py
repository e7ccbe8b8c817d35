"""How an open page fares: the memory that it and its worker keep, and for how long it drew nothing."""

import json
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.support.polling import wait_until

MEGABYTE = 1e6
COLLECTIONS = 3
"""What the first lets go of may have held something else: after one alone a heap varies by megabytes."""

_WATCH_FRAMES = """() => {
    window.framesSeen = 0;
    window.longestGap = 0;
    let last = performance.now();
    const seen = () => {
        const now = performance.now();
        framesSeen += 1;
        longestGap = Math.max(longestGap, now - last);
        last = now;
        requestAnimationFrame(seen);
    };
    requestAnimationFrame(seen);
}"""
_FRAMES = "() => ({ number: framesSeen, gap: Math.round(longestGap) / 1000 })"


@dataclass(frozen=True)
class Kept:
    """What is left after a garbage collection.

    Attributes:
        heap: Megabytes of JavaScript's heap.
        worker: The same of the shared worker.
        nodes: Nodes of the document, and those that something still refers to.
        listeners: Listeners of events.
    """

    heap: float
    worker: float
    nodes: int
    listeners: int


@dataclass(frozen=True)
class Frames:
    """What a page drew since :meth:`PageVitals.watch_frames`.

    Attributes:
        number: How many frames.
        gap: Seconds of the longest time without any.
    """

    number: int
    gap: float


class PageVitals:
    """Looks into a page that has a shared worker; it must be in front of its window, or it draws nothing."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")
        self._worker = _Worker(page, self._session.send("Target.getTargetInfo")["targetInfo"])

    def kept(self) -> Kept:
        """Collect the garbage, which takes a moment in which nothing is drawn, and look at the rest."""
        for _ in range(COLLECTIONS):
            self._session.send("HeapProfiler.collectGarbage")
        found = self._session.send("Performance.getMetrics")["metrics"]
        metrics = {each["name"]: each["value"] for each in found}
        return Kept(
            heap=round(metrics["JSHeapUsedSize"] / MEGABYTE, 1),
            worker=self._worker.heap(),
            nodes=int(metrics["Nodes"]),
            listeners=int(metrics["JSEventListeners"]),
        )

    def watch_frames(self) -> None:
        """Count frames from now on; to be called once."""
        self._page.evaluate(_WATCH_FRAMES)

    def frames(self) -> Frames:
        """The frames so far."""
        return Frames(**self._page.evaluate(_FRAMES))


class _Worker:
    """The shared worker of a page: by the protocol, in a nested session; Playwright has no way of its own."""

    def __init__(self, page: Page, target: Any) -> None:
        browser = page.context.browser
        assert browser
        self._page = page
        self._session = browser.new_browser_cdp_session()
        self._session.on("Target.receivedMessageFromTarget", self._receive)
        self._answers: dict[int, Any] = {}
        self._sent = 0
        known = self._session.send("Target.getTargets", {"filter": [{"type": "shared_worker"}]})[
            "targetInfos"
        ]
        (own,) = (each for each in known if each["browserContextId"] == target["browserContextId"])
        attach = {"targetId": own["targetId"], "flatten": False}
        self._session_id = self._session.send("Target.attachToTarget", attach)["sessionId"]

    def heap(self) -> float:
        """Megabytes after a garbage collection."""
        self._call("HeapProfiler.collectGarbage")
        return round(float(self._call("Runtime.getHeapUsage")["usedSize"]) / MEGABYTE, 2)

    def _call(self, method: str) -> Any:
        self._sent += 1
        message = {
            "sessionId": self._session_id,
            "message": json.dumps({"id": self._sent, "method": method}),
        }
        self._session.send("Target.sendMessageToTarget", message)

        def answer() -> Any:
            self._page.title()  # while Playwright waits for this it takes in the browser's events
            return self._answers.get(self._sent)

        return wait_until(answer, f"the worker has answered {method}")["result"]

    def _receive(self, event: Any) -> None:
        answer = json.loads(event["message"])
        self._answers[answer.get("id")] = answer
