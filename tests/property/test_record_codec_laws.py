"""Law of the engine's files: whatever a core puts, it gets back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.embedded.firestore.model import Document
from emulator.embedded.firestore.values import GeoPoint, Reference, Timestamp, Vector
from emulator.embedded.pubsub.model import Message
from emulator.embedded.record_codec import decode, encode

names = st.text(max_size=5) | st.sampled_from(["$bytes", "$map", "$", "$Document"])
numbers = st.floats(allow_nan=False)  # it equals nothing; a unit test looks at it
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | numbers
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.builds(Timestamp, st.integers())
    | st.builds(Reference, st.text(max_size=5))
    | st.builds(GeoPoint, numbers, numbers)
    | st.builds(Vector, st.lists(numbers, max_size=3).map(tuple))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=12,
)
documents = st.builds(
    Document, names, st.dictionaries(names, values, max_size=4), st.integers(), st.integers()
)
messages = st.builds(
    Message, names, st.binary(), st.dictionaries(names, names), st.integers(), names, st.integers()
)


@given(documents | messages)
def test_what_is_written_comes_back(record: object) -> None:
    back = decode(encode(record))
    assert back == record
    assert repr(back) == repr(record)  # 1 is not 1.0, nor a list a tuple
