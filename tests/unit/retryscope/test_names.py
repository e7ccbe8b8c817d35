"""A table of names: constants, and all of them to be looked up."""

from typing import Any, cast

import pytest

from retryscope.names import Attribute, Metric, NameTable

CARTS = Metric("shop_carts", "counter", ("country",), "Carts that were filled.")


def test_what_is_declared_is_a_constant_and_can_be_looked_up() -> None:
    names = NameTable()
    size = names.attribute("shop.cart.size", "int", "Articles in the cart.")
    filled = names.event("shop.cart.filled", "The first article is in it.")
    assert names.metric(CARTS) is CARTS
    assert names.attributes == {size: Attribute("shop.cart.size", "int", "Articles in the cart.")}
    assert names.events == {filled: "The first article is in it."}
    assert names.metrics == {"shop_carts": CARTS}


def test_tables_share_nothing() -> None:
    NameTable().metric(CARTS)
    assert NameTable().metrics == {}


@pytest.mark.parametrize("table", ["attributes", "events", "metrics"])
def test_nobody_adds_a_name_but_by_declaring_it(table: str) -> None:
    with pytest.raises(TypeError):
        cast(Any, getattr(NameTable(), table))["shop.cart"] = "A cart."
