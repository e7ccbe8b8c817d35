"""Rules with one fault each, that the rules' tests must notice.

Faults that change nothing are not made: `>` becomes `>=` only before 0, since `rate()`, `increase()` and
quantiles are estimates, of which equality with anything else says nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retryscope_service.slo.duration import Duration

Rule = dict[str, Any]


@dataclass(frozen=True)
class Mutant:
    """A rule with a fault."""

    fault: str
    rule: Rule


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Every rule that differs from this one by one fault."""
    expression = rule["expr"]
    for start, end, replacement in _expression_faults(expression):
        context = f"{expression[max(0, start - 25) : start]}[[{expression[start:end]} -> {replacement}]]"
        changed = expression[:start] + replacement + expression[end:]
        yield Mutant(" ".join(context.split()), {**rule, "expr": changed})
    if "for" in rule:
        for hold in _other_durations(rule["for"]) or ["1m"]:
            yield Mutant(f"for: {hold}", {**rule, "for": hold})
    for part in ("labels", "annotations"):
        yield from _faulty_texts(rule, part)


def _faulty_texts(rule: Rule, part: str) -> Iterator[Mutant]:
    """Labels or annotations of which one is missing, or does not say one of the alert's labels."""
    texts: dict[str, str] = rule.get(part, {})
    for name, text in texts.items():
        without = {key: value for key, value in texts.items() if key != name}
        yield Mutant(f"{part} without {name}", {**rule, part: without})
        for template in re.finditer(r"\{\{ \$[^}]*\}\}", text):
            cut = text[: template.start()] + text[template.end() :]
            yield Mutant(f"{name} without {template[0]}", {**rule, part: {**texts, name: cut}})


Fault = tuple[int, int, str]
"""Start and end of what is replaced in an expression, and by what."""

_TOKEN = re.compile(
    r"""
    (?P<matcher> \w+ (?:=~|!~|!=|=) "[^"]*" (?: ,\  )? )
  | (?P<window> \[ [^]]+ \] )
  | (?P<labels> \b by \s* \( [^)]* \) )
  | (?P<set> \b (?:and|or|unless) \b )
  | (?P<name> [A-Za-z_:] [\w:]* )
  | (?P<number> \d+ (?:\.\d+)? )
  | (?P<comparison> >= | == | > )
  | (?P<arithmetic> [-*/] )
    """,
    re.VERBOSE,
)


def _expression_faults(expression: str) -> Iterator[Fault]:
    for token in _TOKEN.finditer(expression):
        start, end = token.span()
        match token.lastgroup:
            case "matcher":
                yield from _faulty_matchers(token)
            case "window":
                yield from _faulty_windows(token)
            case "labels":
                yield from _faulty_labels(token)
            case "set":
                yield from ((start, end, other) for other in ("and", "or", "unless") if other != token[0])
            case "number":
                yield from ((start, end, other) for other in _other_numbers(token[0]))
            case "comparison":
                yield start, end, {">": "<", ">=": "<", "==": "!="}[token[0]]
                if re.match(r"> 0(?![.\d])", expression[start:]):
                    yield start, end, ">="
            case "arithmetic":
                yield start, end, {"-": "+", "*": "/", "/": "*"}[token[0]]


def _faulty_matchers(token: re.Match[str]) -> Iterator[Fault]:
    start, end = token.span()
    found = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"(.*)', token[0])
    assert found, token[0]
    label, operator, value, comma = found.groups()
    yield start, end, ""
    negated = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}[operator]
    yield start, end, f'{label}{negated}"{value}"{comma}'
    alternatives = value.split("|")
    for each in alternatives:
        others = [other for other in alternatives if other != each] or ["success"]
        yield start, end, f'{label}{operator}"{"|".join(others)}"{comma}'


def _faulty_labels(token: re.Match[str]) -> Iterator[Fault]:
    labels = re.findall(r"\w+", token[0].removeprefix("by"))
    for label in labels:
        yield token.start(), token.end(), f"by ({', '.join(other for other in labels if other != label)})"


def _faulty_windows(token: re.Match[str]) -> Iterator[Fault]:
    """Also the steps of a subquery."""
    for duration in re.finditer(r"\w+", token[0]):
        for other in _other_durations(duration[0]):
            yield token.start() + duration.start(), token.start() + duration.end(), other


def _other_durations(duration: str) -> list[str]:
    """Half and twice as long."""
    seconds = Duration.parse(duration).seconds
    return [str(Duration.of(seconds * factor)) for factor in (0.5, 2)] if seconds else []


def _other_numbers(number: str) -> list[str]:
    """Lower and higher; a count that `increase()` estimates as a little more than 1 is still below 2."""
    if number == "0":
        return ["-1", "2"]
    if "." in number:
        return [f"{float(number) * factor:g}" for factor in (0.8, 1.25)]
    return [str(int(number) - 1), str(int(number) + 1)]
