"""The events of a run as any page may follow them: with the EventSource of a real browser."""

from tests.support.browser import Visitor
from tests.support.process import Service

FOLLOW = """
(path) => new Promise((resolve) => {
  const source = new EventSource(path);
  const seen = [];
  for (const name of ["state", "workflow", "task", "retry", "attempt", "backoff", "timeout", "cleanup"])
    source.addEventListener(name, (event) => seen.push(event.lastEventId));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) resolve(seen);
  };
})
"""
"""Resolves once the browser has given up: on an answer that it may not repeat."""


def test_it_sees_every_event_once_and_does_not_come_back(visitor: Visitor, service: Service) -> None:
    """When the stream ends the browser resumes at the last event, and is told that nothing follows."""
    run = service.call("POST", "/workflows/retry/runs", {"failure_rate": 0, "duration": 0}).answer().body
    path = f"/runs/{run['id']}/events"
    page = visitor.context.new_page()
    page.route("**/probe", lambda route: route.fulfill(content_type="text/html", body="<p>probe</p>"))
    page.goto("/probe")
    seen = page.evaluate(FOLLOW, path)
    assert seen == [str(number) for number in range(len(seen))]
    assert len(seen) > 3
    answers = [request for request in visitor.requests if request.url.endswith(path)]
    assert len(answers) == 2
