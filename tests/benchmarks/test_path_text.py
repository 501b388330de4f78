"""Paths numbered from their text are what splitting that text by its separator gives."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import path_text
from benchmarks.path_text import numbered

# Blanks inside and before a name are part of it; a mark never is.
names = st.sampled_from(["a", "b", "e mail", " lead", "Ä", "aa", "a-much-longer-name", "-", ""])
paths = st.lists(names, min_size=1, max_size=6).map(" > ".join).filter(bool)


@given(st.lists(paths, max_size=12), st.integers(1, 5), st.integers(0, 2))
def test_numbered_paths_name_what_splitting_gives_in_pieces_of_any_size(texts, size, skipped):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(path_text, "_PATHS_PER_PIECE", size)
        found = numbered(pa.array(texts, pa.string()).slice(skipped))
    ends = found.first[1:]
    named = [
        [found.names[number] for number in found.channel[first:end]]
        for first, end in zip(found.first[:-1], ends, strict=True)
    ]
    assert named == [text.split(" > ") for text in texts[skipped:]]
    assert len(set(found.names)) == len(found.names)


@pytest.mark.parametrize("text", ["a>b", "a> b", "a >b", "> a", "a > > b", "a > b ", None, ""])
def test_a_mark_that_may_be_no_separator_is_refused(text):
    with pytest.raises(ValueError, match=r"no separator for certain|missing or empty"):
        numbered(pa.array(["a > b", text, "c"]))
