"""When the story plays, and its units of time."""

from datetime import UTC, datetime, timedelta

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

FIRST_DAY = datetime(2025, 3, 3, tzinfo=UTC)
# A Tuesday, 09:15 in New York: after the European and American clocks went back (25 October and
# 1 November 2026), after Columbus and Veterans Day, in the middle of an open quarter.
AS_OF = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
