"""The filter language: what each form matches, and what is no filter."""

from __future__ import annotations

import pytest

from emulator.embedded.pubsub.filters import parse
from emulator.embedded.refusal import Refusal, Status

MESSAGE = {"name": "com", "lang": "en", "iana.org/tag": "x", "a-b_1": "v", "empty": "", "NOT": "n"}

MATCHES = [
    ("attributes:name", True),
    ("attributes : name", True),
    ("attributes:other", False),
    ("attributes:Name", False),
    ("attributes:empty", True),
    ("attributes:a-b_1", True),
    ("attributes:NOT", True),
    ('attributes:"iana.org/tag"', True),
    ('attributes.name = "com"', True),
    ('attributes.name="com"', True),
    ('attributes.name = "Com"', False),
    ('attributes.other = ""', False),
    ('attributes.empty = ""', True),
    ('attributes.name != "com"', False),
    ('attributes.name != "net"', True),
    ('attributes.other != "net"', True),
    ('attributes."iana.org/tag" = "x"', True),
    ('hasPrefix(attributes.name, "co")', True),
    ('hasPrefix( attributes."iana.org/tag" , "x" )', True),
    ('hasPrefix(attributes.name, "")', True),
    ('hasPrefix(attributes.other, "")', False),
    ('hasPrefix(attributes.name, "om")', False),
    ("NOT attributes:name", False),
    ("-attributes:name", False),
    ("- attributes:other", True),
    ('NOT hasPrefix(attributes.name, "co")', False),
    ("NOT (attributes:name AND attributes:other)", True),
    ("NOT(attributes:name)", False),
    ("NOT (NOT attributes:name)", True),
    ("attributes:name AND attributes:lang", True),
    ("attributes:name AND attributes:other", False),
    ("attributes:other OR attributes:name", True),
    ("attributes:other OR attributes:more OR attributes:name", True),
    ("attributes:name AND attributes:lang AND attributes:other", False),
    ('attributes:name AND (attributes.lang = "de" OR attributes.lang = "en")', True),
    ("(attributes:name AND attributes:other) OR attributes:lang", True),
    # NOT binds closer than AND and OR.
    ("NOT attributes:other AND attributes:other", False),
    ("NOT attributes:name OR attributes:name", True),
    ('attributes.name = "com" AND -attributes:other', True),
    ("((attributes:name))", True),
    ("\n attributes:name\t", True),
]

ESCAPES = [
    (r'"\""', '"'),
    (r'"\\"', "\\"),
    (r'"\n\t\r"', "\n\t\r"),
    (r'"\x41\x2f"', "A/"),
    (r'"\101\60"', "A0"),
    (r'"\u307F\u3093"', "みん"),
    (r'"\U0001F600"', "😀"),
    (r'"\xc3\xa9"', "é"),
    ('"é"', "é"),
]

REFUSED = [
    "attributes",
    "attributes.name",
    "attributes:",
    "attributes.name =",
    "attributes.name = com",
    "attributes.name = 'com'",
    'attributes.name == "com"',
    'attributes.name < "com"',
    'attributes.name : "com"',
    '"com" = attributes.name',
    "attributes.name = attributes.lang",
    'attributes. name = "com"',
    "attributes:*",
    "attributes:iana.org/tag",
    r"attributes:\u307F",
    "attributes:み",
    'attributes.name = "com',
    r'attributes.name = "\q"',
    r'attributes.name = "\x"',
    r'attributes.name = "\777"',
    r'attributes.name = "\xff"',
    r'attributes.name = "\ud800"',
    r'attributes.name = "\UFFFFFFFF"',
    "ATTRIBUTES:name",
    'data = "x"',
    "foo bar (",
    'hasprefix(attributes.name, "c")',
    "hasPrefix(attributes.name)",
    'hasPrefix(attributes:name, "c")',
    'hasPrefix("c", attributes.name)',
    'hasSuffix(attributes.name, "c")',
    'hasPrefix(attributes.name, "c") = "d"',
    "attributes:name and attributes:lang",
    "attributes:name AND",
    "AND attributes:name",
    "attributes:name attributes:lang",
    "attributes:name ANDattributes:lang",
    "NOTattributes:name",
    "NOT NOT attributes:name",
    "attributes:a AND attributes:b OR attributes:c",
    "attributes:a OR attributes:b AND attributes:c",
    'attributes.name = "com" AND ("net" OR "org")',
    "(attributes:name",
    "attributes:name)",
    "()",
    "(" * 256,
]


@pytest.mark.parametrize(("text", "matches"), MATCHES)
def test_a_filter_matches_by_attributes(text, matches):
    predicate = parse(text)

    assert predicate is not None
    assert predicate(MESSAGE) is matches


@pytest.mark.parametrize(("literal", "value"), ESCAPES)
def test_escapes_in_keys_and_values_are_understood(literal, value):
    by_value = parse(f"attributes.k = {literal}")
    by_key = parse(f"attributes:{literal}")

    assert by_value is not None
    assert by_value({"k": value})
    assert by_key is not None
    assert by_key({value: ""})


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(Refusal) as refused:
        parse(text)

    assert refused.value.status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_filter_is_none(text):
    assert parse(text) is None


def test_a_filter_is_measured_in_bytes():
    fits = 'attributes.k = "' + "é" * 119 + 'x"'
    assert len(fits.encode()) == 256

    assert parse(fits) is not None
    with pytest.raises(Refusal, match="filter_size is too large"):
        parse(fits + " ")


def test_the_deepest_parentheses_that_fit_are_understood():
    predicate = parse("(" * 122 + "attributes:a" + ")" * 122)

    assert predicate is not None
    assert predicate({"a": ""})
