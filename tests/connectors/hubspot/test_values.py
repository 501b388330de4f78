"""The reader's short ways, held against `canonical`."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.records import FieldInfo, canonical
from connectors.hubspot.values import Reader, instant

KINDS = {
    "text": "string",
    "amount": "number",
    "is_open": "boolean",
    "seen_at": "datetime",
    "born_on": "date",
}
DESCRIBED = {name: FieldInfo(name, kind) for name, kind in KINDS.items()}

decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str)
numbers = (
    st.integers().map(str) | decimals | st.sampled_from(["0", "-0", "007", "1.50", "1e3", "٣"])
)
instants = (
    st.datetimes().map(lambda at: f"{at.isoformat()}Z")
    | st.integers(0, 10**12).map(str)
    | st.just("2026-01-02T03:04:05.678Z")
)
days = st.dates().map(str) | st.integers(0, 10**12).map(str)
booleans = st.sampled_from(["true", "false", "True", "FALSE"])
texts = st.text()
cells = {
    name: st.none() | st.just("") | one | texts
    for name, one in zip(KINDS, (texts, numbers, booleans, instants, days), strict=True)
}


def raw(properties):
    return {"id": "1", "properties": dict(properties), "createdAt": "2026-01-02T03:04:05.678Z"}


@given(st.lists(st.fixed_dictionaries({}, optional={**cells, "hs_object_id": texts}), max_size=4))
def test_records_of_any_shape_give_the_asked_fields_in_canonical_text(rows):
    reader = Reader(KINDS, DESCRIBED)
    for properties in rows:
        assert reader.record(raw(properties)).values == {
            name: canonical(properties.get(name), kind) for name, kind in KINDS.items()
        }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05.678Z", datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)),
        ("1767323045678", datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)),
        ("no instant, but 24 longZ", None),
        (None, None),
    ],
)
def test_an_instant_is_read_from_iso_text_or_milliseconds(text, expected):
    assert instant(text) == expected
