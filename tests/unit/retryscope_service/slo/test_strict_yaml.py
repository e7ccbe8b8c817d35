"""YAML in which a key may be there once."""

import pytest
import yaml

from retryscope_service.slo import strict_yaml


def test_plain_data_is_read() -> None:
    assert strict_yaml.load("a: {b: [1, 0.5, 5m]}\nc: true") == {"a": {"b": [1, 0.5, "5m"]}, "c": True}


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3", "x: {a: 1, b: 2, a: 3}", "- {a: 1}\n- {a: 1, a: 1}"])
def test_a_key_that_is_there_twice_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="the key 'a' is there twice"):
        strict_yaml.load(text)


def test_the_same_key_in_two_mappings_is_fine() -> None:
    assert strict_yaml.load("- {a: 1}\n- {a: 2}") == [{"a": 1}, {"a": 2}]


def test_objects_of_python_are_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        strict_yaml.load("!!python/object/apply:os.getcwd []")


def test_a_key_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="unhashable key"):
        strict_yaml.load("? [a, b]\n: 1")


@pytest.mark.parametrize("text", ["a: &a [1]\nb: *a", "a: &a {b: 1}\nc: {<<: *a}"])
def test_an_alias_is_refused(text: str) -> None:
    """A few of them, of each other, make a document that no memory holds."""
    with pytest.raises(yaml.YAMLError, match=r"\*a is an alias: write out what it stands for"):
        strict_yaml.load(text)


@pytest.mark.parametrize(
    "number", ["9" * 5000, "-" + "9" * 5000, "0x" + "f" * 5000, "1" + ":59" * 2000, "1." + "9" * 5000]
)
def test_a_number_of_thousands_of_digits_is_refused(number: str) -> None:
    """Python would refuse to read it, or to show it, in words of its own."""
    with pytest.raises(yaml.YAMLError, match="characters: a number or a date has at most 100"):
        strict_yaml.load(f"a: {number}")


@pytest.mark.parametrize(
    "value", ["2026-02-30", "!!int x", "!!int ''", "!!float x", "!!timestamp x", "!!bool x"]
)
def test_a_number_or_a_date_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(yaml.YAMLError, match="is no number and no date that there is"):
        strict_yaml.load(f"a: {value}")
