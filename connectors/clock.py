"""The clock is outside the process too: the only place that reads it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Give the present moment in UTC."""
    return datetime.now(UTC)
