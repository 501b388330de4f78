"""Turning pages: the next one is already on its way while the caller works on this one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from connectors.hubspot.client import Json

T = TypeVar("T")

# Gets the page at a cursor; the first has none.
Fetch = Callable[[str | None], Json]


def turn(
    fetch: Fetch,
    cursor: Callable[[Json], str | None],
    pool: ThreadPoolExecutor,
    first: Json | None = None,
) -> Iterator[Json]:
    """Yield page after page until one names no next; at most one page is fetched ahead."""
    page = fetch(None) if first is None else first
    while True:
        after = cursor(page)
        following = pool.submit(fetch, after) if after else None
        yield page
        if following is None:
            return
        page = following.result()


def next_after(page: Json) -> str | None:
    """Give the cursor of the next page as version 3 answers name it."""
    after = ((page.get("paging") or {}).get("next") or {}).get("after")
    return None if after is None else str(after)


def next_offset(page: Json) -> str | None:
    """Give the cursor of the next page as the email event endpoint names it."""
    return str(page["offset"]) if page.get("hasMore") else None


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of `size`; only the last may be shorter, and none is empty."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
