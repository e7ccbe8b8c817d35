"""What an expression of PromQL refers to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import promql_parser as parser


@dataclass(frozen=True)
class MetricUse:
    """A selector of an expression, with every label that the expression expects its series to have.

    Attributes:
        metric: Name of the metric or of the recorded series; empty for a selector without a name.
        matchers: Names of the labels in its braces.
        grouping: Names of the labels by which what surrounds it groups (``by``, ``without``) or matches
            (``on``), or which it copies (``group_left``, ``group_right``, ``label_replace``).
    """

    metric: str
    matchers: frozenset[str]
    grouping: frozenset[str]

    @property
    def labels(self) -> frozenset[str]:
        """All of them."""
        return self.matchers | self.grouping


def metric_uses(expression: str | parser.Expr) -> Iterator[MetricUse]:
    """Walk an expression, as text or parsed, and yield each selector in it from left to right.

    Labels that the other side of a ``group_left`` brings, and what ``label_replace`` makes, are not
    expected of the series.

    >>> for use in metric_uses('sum by (job) (rate(x_total{outcome!="a"}[5m])) / on (job) y'):
    ...     print(use.metric, sorted(use.matchers), sorted(use.grouping))
    x_total ['outcome'] ['job']
    y [] ['job']

    >>> for use in metric_uses('sum by (version) (x * on (instance) group_left (version) y and on (job) z)'):
    ...     print(use.metric, sorted(use.grouping))
    x ['instance', 'job']
    y ['instance', 'version']
    z ['job']

    >>> next(metric_uses('sum by (host) (label_replace(up, "host", "$1", "instance", "(.*):.*"))')).grouping
    frozenset({'instance'})

    Raises:
        ValueError: It is not PromQL.
    """
    parsed = parser.parse(expression) if isinstance(expression, str) else expression
    yield from _walk(parsed, frozenset())


def _walk(node: parser.Expr, outer: frozenset[str]) -> Iterator[MetricUse]:
    match node:
        case parser.VectorSelector():
            yield _use(node, outer)
        case parser.MatrixSelector():
            yield _use(node.vector_selector, outer)
        case parser.AggregateExpr():
            yield from _walk(node.expr, outer.union(node.modifier.labels if node.modifier else ()))
        case parser.BinaryExpr():
            left, right = _sides(node, outer)
            yield from _walk(node.lhs, left)
            yield from _walk(node.rhs, right)
        case parser.Call():
            made, read = _relabelled(node)
            for argument in node.args:
                yield from _walk(argument, outer.difference(made).union(read))
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            yield from _walk(node.expr, outer)


def _use(selector: parser.VectorSelector, grouping: frozenset[str]) -> MetricUse:
    if selector.matchers.or_matchers:
        raise ValueError(f"Prometheus knows no `or` between matchers: {selector.prettify()}")
    matchers = selector.matchers.matchers
    name = next((matcher.value for matcher in matchers if matcher.name == "__name__"), "")
    labels = frozenset(matcher.name for matcher in matchers) - {"__name__"}
    return MetricUse(selector.name or name, labels, grouping)


def _sides(node: parser.BinaryExpr, outer: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """What is expected of the left and of the right operand."""
    modifier = node.modifier
    on: Iterable[str] = ()
    if modifier and modifier.matching and modifier.matching.type == parser.LabelModifierType.Include:
        on = modifier.matching.labels
    copied = (modifier.group_labels if modifier else None) or ()
    many, one = outer.difference(copied).union(on), frozenset((*on, *copied))
    if modifier and modifier.card == parser.VectorMatchCardinality.ManyToOne:
        return many, one
    if modifier and modifier.card == parser.VectorMatchCardinality.OneToMany:
        return one, many
    if str(node.op) in ("and", "unless"):
        return outer.union(on), frozenset(on)
    return outer.union(on), outer.union(on)


def _relabelled(call: parser.Call) -> tuple[Iterable[str], Iterable[str]]:
    """The labels that a call makes, and those that it makes them of."""
    strings = [argument.val for argument in call.args if isinstance(argument, parser.StringLiteral)]
    if call.func.name == "label_replace":
        return strings[:1], strings[2:3]
    if call.func.name == "label_join":
        return strings[:1], strings[2:]
    return (), ()
