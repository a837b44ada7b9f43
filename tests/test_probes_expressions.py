"""The language of targets: what it says, what it refuses, and that nothing else is ever run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procscope.probes.expression_values import evaluate
from procscope.probes.expressions import parse

COLUMNS = {
    "distance": np.array([0, 1, 2, 8], np.int32),
    "agent_row": np.array([3.0, 40.0, 31.9, -1.0], np.float32),
    "moving": np.array([True, False, True, False]),
    "held": np.array([True, True, False, False]),
    "variant": np.array(["a", "b", "a", "c"], object),
    "logits": np.arange(8.0).reshape(4, 2),
}


def value(text):
    return evaluate(parse(text), COLUMNS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("distance", [0, 1, 2, 8]),
        ("distance**2", [0, 1, 4, 64]),
        ("min(1 / distance, 5)", [5, 1, 0.5, 0.125]),
        ("1/(1+distance)", [1, 1 / 2, 1 / 3, 1 / 9]),
        ("clip(distance, 1, 5)", [1, 1, 2, 5]),
        ("agent_row < 4", [True, False, False, True]),
        ("0 <= agent_row < 32", [True, False, True, False]),
        ("not moving and distance > 0", [False, True, False, True]),
        ("~moving & held | (distance == 8)", [False, True, False, True]),
        ("moving + held", [2, 1, 1, 0]),
        ("-distance // 3 % 2", [0, 1, 1, 1]),
        ("where(moving, distance, -1)", [0, -1, 2, -1]),
        ("distance in (0, 8)", [True, False, False, True]),
        ("distance not in [0, 8]", [False, True, True, False]),
        ('variant == "a"', [True, False, True, False]),
        ('variant in ("b", "c")', [False, True, False, True]),
        ("logits[1] - logits[0]", [1, 1, 1, 1]),
        ("sqrt(abs(distance - 1))", [1, 0, 1, np.sqrt(7)]),
        ("max(distance, 1, 2)", [2, 2, 2, 8]),
        ("isfinite(1 / distance)", [False, True, True, True]),
        ("round(distance / 3) + floor(0.5)", [0, 0, 1, 3]),
    ],
)
def test_values(text, expected):
    np.testing.assert_allclose(value(text), expected)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "distance.__class__",
        "(lambda: distance)()",
        "[distance for _ in (1,)]",
        "distance if moving else 2",
        "f'{distance}'",
        "logits[0:1]",
        "distance @ logits",
        "distance << 2",
        "(distance := 3)",
        "min(distance, key=2)",
        "{1: distance}",
        "distance is moving",
        "clip(*logits, 1, 2)",
        "b'x' == variant",
        "3j * distance",
    ],
)
def test_what_is_not_of_the_language_is_refused(text):
    with pytest.raises(ValueError, match=r"not part of the language|there is no function|cannot read"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1 to 500 characters"),
        ("distance +", "cannot read the expression"),
        ("1 + 2", r"reads a label column; '1 \+ 2' reads none"),
        ("exec(distance)", "there is no function 'exec'. Did you mean exp"),
        ("sqrt(distance, 2)", "sqrt takes 1 arguments, given 2"),
        ("clip(distance)", "clip takes 3 arguments, given 1"),
        ("ahead(distance, 0)", "a whole number of frames from 1 on"),
        ("ahead(distance, moving)", "a whole number of frames from 1 on"),
        ("future_return(2)", "the discount of future_return"),
        ("distance in moving", "`in` needs constants in brackets"),
        ("(" * 400 + "distance" + ")" * 400, "1 to 500 characters"),
        ("(" * 240 + "distance" + ")" * 240, "cannot read the expression"),
    ],
)
def test_messages_of_parse(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("distance and moving", "expected truth values, but distance is a number. Compare it"),
        ("variant + 1", "expected numbers, but variant is text"),
        ("variant < 'b'", "cannot be compared so"),
        ("variant == 3", "cannot be compared so"),
        ("logits", r"each frame has 2 numbers of logits; say which: logits\[0\]"),
        ("logits[2]", r"there is no logits\[2\]; logits has entries 0 to 1"),
        ("distance[0]", "distance has one number a frame"),
        ("ahead(distance, 1)", "ahead needs a cache's episodes or maps around it"),
    ],
)
def test_messages_of_values(text, message):
    with pytest.raises(ValueError, match=message):
        value(text)


def test_a_tower_of_powers_ends_at_once():
    assert np.isinf(value("distance + 9**9**9**9")).all()


def test_columns_and_what_they_are_compared_with():
    parsed = parse("where(goal_row < 0, 70, goal_row) + ahead(before(distance, 3), 1) * (agent_row == 5)")
    assert parsed.columns == ("goal_row", "distance", "agent_row")
    assert parsed.tested_for_none == {"goal_row"}
    assert ("distance", -2) in parsed.reads


@given(
    st.recursive(
        st.sampled_from(["distance", "agent_row", "2", "0.5"]),
        lambda inner: st.builds(
            lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from("+ - * / **".split()), inner
        ),
        max_leaves=8,
    )
)
def test_arithmetic_is_pythons_own(text):
    """NumPy's own evaluation of the same text, on the same float64 columns."""
    if "distance" not in text and "agent_row" not in text:
        return
    columns = {name: COLUMNS[name].astype(np.float64) for name in ("distance", "agent_row")}
    with np.errstate(all="ignore"):
        try:
            expected = eval(
                text.replace("2", "np.float64(2)").replace("0.5", "np.float64(0.5)"), {"np": np, **columns}
            )
        except OverflowError:
            return
    np.testing.assert_allclose(value(text), np.broadcast_to(expected, 4), rtol=1e-12)
