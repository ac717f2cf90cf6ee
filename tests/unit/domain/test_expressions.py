"""The expression language: sandboxed, strict, repeatable, and native about values."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.expressions import attributes, evaluate, fill, holds, names
from shared.errors import ExpressionError

VARIABLES: dict[str, Any] = {
    "n": 3,
    "text": "hello",
    "items": [1, 2],
    "draft": {"score": 0.7, "text": "x"},
    "result": {"ok": True},
    "order": {"items": ["a key", "before a method"]},
}


@pytest.mark.parametrize(
    "source",
    [
        "n.__class__",
        "text['__class__'].__mro__",
        "text | attr('__class__')",
        "'{0.__class__.__mro__}'.format(text)",
        "items.append(4)",
        "draft.update({'score': 1})",
        "range(10 ** 9) | list",
        "cycler.__init__.__globals__",
        "(items | map(attribute='__class__') | first).__name__",
    ],
)
def test_the_sandbox_lets_nobody_out(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, VARIABLES)
    assert VARIABLES["items"] == [1, 2]


@pytest.mark.parametrize("source", ["items | random", "lipsum()", "now()", "open('/etc/passwd')"])
def test_nothing_unrepeatable_is_within_reach(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, VARIABLES)


@pytest.mark.parametrize("source", ["missing", "draft.missing", "items[9]", "draft.missing.deeper"])
def test_what_is_undefined_fails_and_says_so(source: str) -> None:
    with pytest.raises(ExpressionError, match=r"undefined|no attribute|no element"):
        evaluate(source, VARIABLES)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("n + 1", 4),
        ("draft.score < 0.7", False),
        ("missing is defined", False),
        ("missing | default('d')", "d"),
        ("text | length > 0 and n in [1, 2, 3]", True),
        ("result.ok", True),
        ("{'a': items}", {"a": [1, 2]}),
        ("order.items", ["a key", "before a method"]),
        ("items | map('string')", ["1", "2"]),
        ("range(3)", [0, 1, 2]),
    ],
)
def test_expressions_have_native_values(source: str, value: object) -> None:
    assert evaluate(source, VARIABLES) == value


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ n }}", 3),
        ("{{ -n }}", -3),
        ("{{ +n }}", 3),
        ("{{ -1 }}", -1),
        ("{{- n -}}", 3),
        ("  {{ items }}\n", [1, 2]),
        ("{{ draft }}", {"score": 0.7, "text": "x"}),
        ("{{ '}}' }}", "}}"),
        ("{{ n }}{{ n }}", "33"),
        ("n is {{ n }}", "n is 3"),
        ("{% if n > 2 %}many{% endif %}", "many"),
        ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
        ("{# remark #}", ""),
        ("{{ draft | json }}", '{"score": 0.7, "text": "x"}'),
        ("plain", "plain"),
        ("50% { } }", "50% { } }"),
        ({"a": ["{{ n }}", {"b": "{{ text }}"}]}, {"a": [3, {"b": "hello"}]}),
        (("{{ n }}",), [3]),
        (None, None),
        (7, 7),
    ],
)
def test_a_lone_expression_keeps_its_type_and_text_stays_text(
    template: object, value: object
) -> None:
    assert fill(template, VARIABLES) == value


@pytest.mark.parametrize("template", ["{{ missing }}", "x {{ missing }}", "x {{ 1 / 0 }}"])
def test_a_template_that_fails_names_itself(template: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        fill(template, VARIABLES)
    assert template.strip().strip("{} ") in caught.value.detail


@pytest.mark.parametrize(("source", "truth"), [("items", True), ("''", False), ("0", False)])
def test_a_condition_is_its_truth(source: str, *, truth: bool) -> None:
    assert holds(source, VARIABLES) is truth


@pytest.mark.parametrize(
    ("value", "expression", "expected"),
    [
        ("{{ a.b }} {{ c }}", False, {"a", "c"}),
        ("a.b and c | default(d)", True, {"a", "c", "d"}),
        ({"x": ["{{ a }}"], "y": {"z": "{{ b }}"}}, False, {"a", "b"}),
        ("{% for i in list_ %}{{ i }}{% endfor %}", False, {"list_"}),
        ("plain", False, set()),
        (3, False, set()),
    ],
)
def test_names_are_the_variables_referred_to(
    value: object, *, expression: bool, expected: set[str]
) -> None:
    assert names(value, expression=expression) == expected


def test_attributes_are_pairs_of_variable_and_attribute() -> None:
    value = ["{{ a.b.c }} {{ d['e'] }}", {"x": "{{ f.g | upper }}"}]
    assert attributes(value) == {("a", "b"), ("f", "g")}
    assert attributes("a.b > 1", expression=True) == {("a", "b")}


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("{{ a", False),
        ("{% if a %}", False),
        ("a +", True),
        ("a) }} {{ (b", True),
        ("{{ a | nofilter }}", False),
        ("a is notest", True),
        ("{{ a | random }}", False),
    ],
)
def test_wrong_syntax_is_found_without_running_it(source: str, *, expression: bool) -> None:
    with pytest.raises(ExpressionError, match="is not valid"):
        names(source, expression=expression)
