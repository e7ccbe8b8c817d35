"""Rules about the expressions: they parse, their names exist, and they say what they seem to say."""

import re
from collections.abc import Iterator, Mapping

import promql_parser as parser

from grafana.thresholds import STALLED_WINDOW
from tests.support.dashboards.model import (
    Finding,
    Json,
    Target,
    parsable,
    prometheus_targets,
    variables,
)
from tests.support.known import VALUES, Series
from tests.support.promql import metric_uses

Table = Mapping[str, Series]
RATES = {"rate", "increase"}
WINDOWED = re.compile(r"(?:(\w+)\([^()\[\]]*)?\[([^\]]*)\]")
"""A window, and the function that looks at a selector over it; none where it is a subquery's."""
LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def expressions(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Where each expression is, and the expression, ready to be parsed."""
    for target in prometheus_targets(dashboard):
        yield target.where, parsable(target.expression, dashboard)
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], parsable(annotation["expr"], dashboard)
    for name, variable in variables(dashboard).items():
        if variable["type"] == "query":
            yield f"${name}", parsable(variable["query"]["query"], dashboard)


def parsed(dashboard: Json) -> Iterator[tuple[str, parser.Expr]]:
    """Where each expression of a panel or annotation is, and its tree; those that parse."""
    for where, expression in expressions(dashboard):
        try:
            yield where, parser.parse(_selector_of(expression))
        except ValueError:
            continue


def _selector_of(expression: str) -> str:
    """What a variable's `label_values(SELECTOR, label)` selects; other expressions as they are."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", expression)
    return f"count by ({found[2]}) ({found[1]})" if found else expression


def syntax(dashboard: Json) -> Iterator[Finding]:
    """Every expression is PromQL."""
    for where, expression in expressions(dashboard):
        try:
            parser.parse(_selector_of(expression))
        except ValueError as error:
            yield Finding("syntax", where, str(error))


def names(dashboard: Json, *, known: Table) -> Iterator[Finding]:
    """Every metric exists, with every label that the expression uses."""
    for where, tree in parsed(dashboard):
        for use in metric_uses(tree):
            if use.metric not in known:
                yield Finding("names", where, f"{use.metric or 'a selector without a name'} does not exist")
                continue
            for label in sorted(use.labels - known[use.metric].labels):
                yield Finding("names", where, f"{use.metric} has no label {label}")


def values(dashboard: Json) -> Iterator[Finding]:
    """What a label is compared with, it can have; a share of nothing would be 0 and look healthy."""
    for where, tree in parsed(dashboard):
        for node, _ in walk(tree):
            matchers = node.matchers.matchers if isinstance(node, parser.VectorSelector) else []
            for matcher in (each for each in matchers if each.name in VALUES):
                for value in matcher.value.split("|"):
                    if value not in VALUES[matcher.name]:
                        yield Finding("values", where, f"{matcher.name} is never {value!r}")


def jobs(dashboard: Json) -> Iterator[Finding]:
    """Every selector of a panel is of the chosen job."""
    for where, tree in parsed(dashboard):
        for use in metric_uses(tree):
            if not where.startswith("$") and "job" not in use.matchers:
                yield Finding("jobs", where, f"{use.metric} is selected of every job")


def rates(dashboard: Json, *, known: Table) -> Iterator[Finding]:
    """Counters are looked at by rate over $__rate_interval, nothing else is.

    Or by increase over $__range, asked once: as a curve its windows would overlap. So is what an alert looks
    back on, over the alert's window. What ranks series looks back over the whole range, from its end.
    """
    for where, tree in parsed(dashboard):
        for node, parents in walk(tree):
            if where.startswith("$") or not isinstance(node, parser.VectorSelector):
                continue
            calls = {parent.func.name for parent in parents[-2:] if isinstance(parent, parser.Call)}
            name = node.name or ""
            is_counter = name in known and known[name].type == "counter"
            if is_counter and not calls & RATES:
                yield Finding("rates", where, f"{name} only ever grows: take its rate")
            if calls & RATES and name in known and not is_counter:
                yield Finding("rates", where, f"{name} is no counter, so it has no rate")
    for target in prometheus_targets(dashboard):
        # Which operations are worst: asked once for the whole range, whatever the panel's step.
        expression = re.sub(r"\[\$__range:\$__rate_interval\] @ end\(\)", "", target.expression)
        once = target.query.get("instant") is True and not target.query.get("range")
        for call in WINDOWED.finditer(expression):
            function, window = call[1] or "a subquery", call[2]
            if once and ((function, window) == ("increase", "$__range") or window == STALLED_WINDOW):
                continue
            if (function, window) != ("rate", "$__rate_interval"):
                asked = f"{function} over [{window}], asked {'once' if once else 'again and again'}"
                yield Finding("rates", target.where, f"{asked}, is not rate over [$__rate_interval]")


def divisions(dashboard: Json) -> Iterator[Finding]:
    """No division by zero: each divisor is filtered by `> 0`, or recorded and never 0."""
    for where, tree in parsed(dashboard):
        for node, _ in walk(tree):
            if not isinstance(node, parser.BinaryExpr) or str(node.op) != "/":
                continue
            divisor = node.rhs.expr if isinstance(node.rhs, parser.ParenExpr) else node.rhs
            is_filtered = isinstance(divisor, parser.BinaryExpr) and str(divisor.op) == ">"
            is_recorded = isinstance(divisor, parser.VectorSelector) and ":" in (divisor.name or "")
            if not is_filtered and not is_recorded:
                yield Finding("divisions", where, f"{divisor.prettify()} may be 0")


def quantiles(dashboard: Json) -> Iterator[Finding]:
    """A quantile of nothing is NaN: it is filtered out, and its buckets are summed by `le`."""
    for where, tree in parsed(dashboard):
        for node, parents in walk(tree):
            if not isinstance(node, parser.Call) or node.func.name != "histogram_quantile":
                continue
            parent = parents[-1] if parents else None
            if not isinstance(parent, parser.BinaryExpr) or str(parent.op) != ">=":
                yield Finding("quantiles", where, "without `>= 0` it is NaN where nothing was observed")
            buckets = node.args[1]
            by = (
                buckets.modifier.labels
                if isinstance(buckets, parser.AggregateExpr) and buckets.modifier
                else ()
            )
            if "le" not in by:
                yield Finding("quantiles", where, "its buckets are not summed by le")


def legends(dashboard: Json, *, known: Table) -> Iterator[Finding]:
    """Each series has a legend, whose labels the result has."""
    for target in prometheus_targets(dashboard):
        legend = target.query.get("legendFormat") or ""
        if not legend or (legend == "__auto") != (target.query.get("format") == "table"):
            yield Finding("legends", target.where, f"the legend is {legend!r}")
        has = labels_of(target, dashboard, known)
        for label in LEGEND.findall(legend):
            if has is not None and label not in has:
                yield Finding("legends", target.where, f"the result has no label {label}")


def exemplars(dashboard: Json, *, known: Table) -> Iterator[Finding]:
    """A heatmap of a series with exemplars asks for them, and nothing else does.

    On a rate, a ratio or a number the value of an exemplar means nothing, and on curves of durations diamonds
    bury the curves.
    """
    wanted: dict[tuple[str, frozenset[str]], list[Target]] = {}
    for target in prometheus_targets(dashboard):
        drawn = target.panel["type"] == "heatmap"
        selectors = _selectors_with_exemplars(target, dashboard, known)
        if drawn and selectors:
            wanted.setdefault((target.panel["title"], selectors), []).append(target)
        elif target.query.get("exemplar"):
            yield Finding("exemplars", target.where, "it asks for exemplars, but there are none to draw")
    for targets in wanted.values():
        asking = sum(bool(target.query.get("exemplar")) for target in targets)
        if asking != 1:
            yield Finding("exemplars", targets[0].where, f"{asking} queries ask for exemplars, not one")


def _selectors_with_exemplars(target: Target, dashboard: Json, known: Table) -> frozenset[str]:
    try:
        nodes = list(walk(parser.parse(parsable(target.expression, dashboard))))
    except ValueError:
        return frozenset()
    if any(isinstance(node, parser.BinaryExpr) and str(node.op) == "/" for node, _ in nodes):
        return frozenset()
    found = (node for node, _ in nodes if isinstance(node, parser.VectorSelector))
    return frozenset(
        node.prettify() for node in found if (node.name or "") in known and known[node.name or ""].exemplars
    )


def labels_of(target: Target, dashboard: Json, known: Table) -> frozenset[str] | None:
    """Labels of a target's result; None where it does not parse."""
    try:
        tree = parser.parse(parsable(target.expression, dashboard))
    except ValueError:
        return None
    return _labels_of(tree, known)


def _labels_of(node: parser.Expr, known: Table) -> frozenset[str]:
    match node:
        case parser.AggregateExpr():
            return frozenset(node.modifier.labels) if node.modifier else frozenset()
        case parser.BinaryExpr():
            left, right = _labels_of(node.lhs, known), _labels_of(node.rhs, known)
            if str(node.op) in ("and", "unless"):
                return left
            modifier = node.modifier
            if (
                modifier
                and modifier.matching
                and not modifier.group_labels
                and str(node.op) not in ("or", "and")
            ):
                return frozenset(modifier.matching.labels)
            return left | right
        case parser.Call():
            inner = [_labels_of(argument, known) for argument in node.args]
            texts = [each.val for each in node.args if isinstance(each, parser.StringLiteral)]
            made = set(texts[:1]) if node.func.name in ("label_replace", "label_join") else set()
            removed = {"le"} if node.func.name == "histogram_quantile" else set()
            return frozenset().union(*inner, made) - removed
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return _labels_of(node.expr, known)
        case parser.MatrixSelector():
            return _labels_of(node.vector_selector, known)
        case parser.VectorSelector():
            series = known.get(node.name or "")
            return series.labels if series else frozenset()
    return frozenset()


def walk(
    node: parser.Expr, parents: tuple[parser.Expr, ...] = ()
) -> Iterator[tuple[parser.Expr, tuple[parser.Expr, ...]]]:
    """Every node, with what is around it."""
    yield node, parents
    within = (*parents, node)
    match node:
        case parser.BinaryExpr():
            children = [node.lhs, node.rhs]
        case parser.Call():
            children = list(node.args)
        case parser.MatrixSelector():
            children = [node.vector_selector]
        case parser.AggregateExpr() | parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            children = [node.expr]
        case _:
            children = []
    for child in children:
        yield from walk(child, within)
