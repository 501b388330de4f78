"""One request that a stand-in answered, for tests that count or look."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Call:
    """A request as it was answered.

    `template` is the method and path with the variable parts in braces, such as
    `POST /crm/v3/objects/{type}/search`; `at` is the moment it arrived, UTC.
    """

    method: str
    path: str
    template: str
    status: int
    at: datetime
