"""Colours say the same everywhere."""

from grafana import colours
from retryscope import outcome


def test_every_value_that_is_coloured_exists_and_none_is_left_out() -> None:
    assert set(colours.OUTCOMES) == set(outcome.OUTCOMES)
    assert set(colours.CLEANUP_OUTCOMES) == set(outcome.CLEANUP_OUTCOMES)
    assert set(colours.GIVEUP_REASONS) == set(outcome.GIVEUP_REASONS)
    assert set(colours.CANCEL_CAUSES) == set(outcome.CANCEL_CAUSES)


def test_outcomes_have_the_colours_that_the_documents_promise() -> None:
    words = {
        "success": "blue",
        "error": "red",
        "exhausted": "red",
        "timeout": "orange",
        "cancelled": "purple",
    }
    assert {name for name, word in words.items() if word not in colours.OUTCOMES[name]} == set()


def test_no_two_series_of_a_panel_have_the_same_colour() -> None:
    for each in (
        colours.OUTCOMES,
        colours.CLEANUP_OUTCOMES,
        colours.GIVEUP_REASONS,
        colours.CANCEL_CAUSES,
        colours.RUN_STATES,
    ):
        assert len(set(each.values())) == len(each)
