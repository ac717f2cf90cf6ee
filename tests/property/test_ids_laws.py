"""Laws of ids: deterministic, and different for whatever is different."""

from __future__ import annotations

import re
from string import printable

from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain import ids
from shared.domain.trace import TraceContext, parse_traceparent

# Few letters, the separators and escapes among them: attacks on how parts are joined.
attacks = st.text(alphabet="\x1d\x1e\x1f01a", max_size=6)
parts = st.lists(attacks, min_size=1, max_size=4)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
event_ids = texts | st.text(alphabet=printable, min_size=1, max_size=300)
HEX = "0123456789abcdef"


def hex_of(length: int) -> st.SearchStrategy[str]:
    return st.text(alphabet=HEX, min_size=length, max_size=length)


@given(parts, parts)
def test_digests_agree_exactly_where_all_parts_agree(one: list[str], other: list[str]) -> None:
    assert (ids.digest(*one) == ids.digest(*other)) is (one == other)


@given(event_ids, texts, event_ids, texts)
def test_event_keys_agree_exactly_where_source_and_id_agree(
    id_: str, source: str, other_id: str, other_source: str
) -> None:
    same = (source, id_) == (other_source, other_id)
    assert (ids.event_key(source, id_) == ids.event_key(other_source, other_id)) is same


@given(event_ids, event_ids, texts)
def test_no_id_without_a_source_meets_one_with_a_source(id_: str, other: str, source: str) -> None:
    assume(source != ids.UNNAMED_SOURCE)
    assert ids.event_key(ids.UNNAMED_SOURCE, id_) != ids.event_key(source, other)


@given(event_ids, texts | st.just(ids.UNNAMED_SOURCE))
def test_every_event_key_is_a_document_name(id_: str, source: str) -> None:
    key = ids.event_key(source, id_)
    assert re.fullmatch(r"[A-Za-z0-9._:@+=~-]{1,250}", key)
    assert key not in {".", ".."}
    assert not key.startswith("__")


@given(texts, texts, texts)
def test_ids_are_the_same_on_every_instance(one: str, other: str, third: str) -> None:
    assert ids.run_id(one, other) == ids.run_id(one, other)
    assert ids.message_id(one, other, third) == ids.message_id(one, other, third)
    assert ids.effect_key(one, other) == ids.effect_key(one, other)


@given(hex_of(32), hex_of(16), st.booleans())
def test_a_trace_context_survives_its_header(trace_id: str, span_id: str, sampled: bool) -> None:  # noqa: FBT001
    context = TraceContext(trace_id, span_id, sampled)
    is_valid = set(trace_id) != {"0"} and set(span_id) != {"0"}
    assert parse_traceparent(context.traceparent) == (context if is_valid else None)


@given(st.text(max_size=70))
def test_any_text_is_a_trace_or_none(text: str) -> None:
    found = parse_traceparent(text)
    assert found is None or parse_traceparent(found.traceparent) == found
