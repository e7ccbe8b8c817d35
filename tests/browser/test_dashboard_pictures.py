"""Each dashboard, drawn with Grafana's own components in Chromium, can be read in each of its four states.

With RETRYSCOPE_PICTURES=DIR, as `make dashboard-pictures` sets it, pictures of all widths in both themes are
written there, after longer traffic. Else, as a picture takes seconds of a processor, only the two states that
differ most are drawn, at one width, into a folder of the test.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import build_page
from tests.conftest import ROOT, cannot_run
from tests.integration.conftest import running_service
from tests.support.dashboards import scenes
from tests.support.dashboards.traffic import FAULTY_PAYMENTS
from tests.support.prometheus import prometheus

WANTED = os.environ.get("RETRYSCOPE_PICTURES", "")
SCRAPES = 75 if WANTED else 15
"""How long each kind of traffic lasts at least."""
SHOWN_SCRAPES = 360 if WANTED else 180
"""In the dashboards' half an hour there are 360."""
STATES = scenes.STATES if WANTED else ("empty", "firing")
WIDTHS, THEMES = ("1280,1600,1920", "dark,light") if WANTED else ("1280", "dark")


@dataclass(frozen=True)
class Panel:
    """A panel of a picture, with what is wrong with it."""

    picture: str
    state: str
    title: str
    has_values: bool
    faults: tuple[str, ...]


@pytest.fixture(scope="module")
def renderer() -> build_page.Npm:
    """The npm of the renderer, its packages installed."""
    found = build_page.prepared_preview()
    if found is None:
        cannot_run("needs what draws the dashboards: run make tools")
    return found


@pytest.fixture(scope="module")
def played(
    system_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The address of a Prometheus that saw all states, and the file that says when."""
    folder = tmp_path_factory.mktemp("scenes")
    rules = scenes.compressed_rules()
    with (
        running_service(folder / "service", **FAULTY_PAYMENTS) as service,
        prometheus(
            system_tool("prometheus"),
            folder / "prometheus",
            service.port,
            rules,
            scrape_interval=scenes.SCRAPE_INTERVAL,
        ) as server,
    ):
        states = scenes.play(service, server, folder, STATES, scrapes=SCRAPES)
        file = folder / "scenes.json"
        file.write_text(json.dumps(scenes.described(states, SHOWN_SCRAPES * scenes.SCRAPE_INTERVAL)))
        yield f"http://127.0.0.1:{server.port}", file


@pytest.fixture(scope="module")
def drawn(
    renderer: build_page.Npm,
    played: tuple[str, Path],
    system_tool: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Panel]:
    """Every panel of every picture."""
    address, file = played
    output = Path(WANTED).resolve() if WANTED else tmp_path_factory.mktemp("pictures")
    options = {
        "prometheus": address,
        "scenes": file,
        "dashboards": ROOT / "grafana" / "dashboards",
        "output": output,
        "widths": WIDTHS,
        "themes": THEMES,
        "chromium": system_tool("chromium"),
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [str(renderer.node), "--experimental-strip-types", "--no-warnings", "draw.ts", *arguments]
    done = subprocess.run(command, cwd=renderer.folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    pictures: list[dict[str, Any]] = json.loads((output / "pictures.json").read_text())
    return [
        Panel(
            picture["file"],
            picture["state"],
            panel["title"],
            panel["values"] > 0,
            tuple([panel["error"]] if panel.get("error") else panel["hardToRead"]),
        )
        for picture in pictures
        for panel in picture["panels"]
    ]


def test_the_renderer_is_formatted_and_typed(renderer: build_page.Npm) -> None:
    renderer.run("run", "format:check")
    renderer.run("run", "typecheck")


def test_nothing_in_any_state_is_hard_to_read(drawn: list[Panel]) -> None:
    """No error, no title cut off, no row of a legend or table below the edge, no text below 10 px."""
    assert {panel.state for panel in drawn} == set(STATES)
    assert [f"{p.picture}: {p.title}: {', '.join(p.faults)}" for p in drawn if p.faults] == []


MAY_BE_EMPTY = {
    "Firing alerts": "none fires while all is well",
    "Requests that failed": "only the newest 100 traces are asked",
    "Retries that gave up": "only the newest 100 traces are asked",
    "Failed and cancelled runs": "only the newest 100 traces are asked",
    "Timed out or cancelled": "only the newest 100 traces are asked",
    "Failed operations": "only the newest 100 traces are asked",
    "Failed and cancelled workflows": "only the newest 100 traces are asked",
}


def test_every_panel_has_data_under_traffic(drawn: list[Panel]) -> None:
    silent = {
        f"{panel.picture}: {panel.title}"
        for panel in drawn
        if panel.state in ("full", "firing") and not panel.has_values and panel.title not in MAY_BE_EMPTY
    }
    assert silent == set()


def test_the_alerts_that_fire_are_listed(drawn: list[Panel]) -> None:
    listed = {panel.state: panel.has_values for panel in drawn if panel.title == "Firing alerts"}
    assert (listed["firing"], listed["empty"]) == (True, False)


def test_a_dashboard_before_the_first_scrape_shows_nothing_that_looks_like_a_value(
    drawn: list[Panel],
) -> None:
    assert [f"{p.picture}: {p.title}" for p in drawn if p.state == "empty" and p.has_values] == []
