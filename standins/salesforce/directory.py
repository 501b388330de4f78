"""What an org is made of: versions, allowances, objects, and what changed in them."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from standins.salesforce.answers import Answer, Refused, Request, json_answer
from standins.salesforce.schema import SObject
from standins.salesforce.values import stamp
from standins.salesforce.writes import writable

if TYPE_CHECKING:
    from standins.salesforce.standin import SalesforceStandIn

VERSIONS = range(31, 68)
_MOST_ROWS = 200


class Directory:
    """Answers about the org itself."""

    def __init__(self, standin: "SalesforceStandIn") -> None:
        self._standin, self._org = standin, standin.org

    def versions(self, _request: Request) -> Answer:
        """List the versions, oldest first."""
        return json_answer(
            [
                {"label": f"v{one}", "url": f"/services/data/v{one}.0", "version": f"{one}.0"}
                for one in VERSIONS
            ]
        )

    def resources(self, _request: Request, v: str) -> Answer:
        """List what a version offers."""
        names = ("tooling", "query", "queryAll", "composite", "sobjects", "limits", "jobs")
        return json_answer({name: f"/services/data/{v}/{name}" for name in names})

    def limits(self, _request: Request, v: str) -> Answer:
        """Say what is left of each allowance."""
        most, used = self._standin.daily_api_requests, self._standin.api_requests_used
        jobs = {"Max": 10_000, "Remaining": 10_000}
        return json_answer(
            {
                "DailyApiRequests": {"Max": most, "Remaining": max(0, most - used)},
                "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
                "DailyBulkV2QueryJobs": jobs,
                "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
            }
        )

    def record_count(self, request: Request, v: str) -> Answer:
        """Count the rows of some objects."""
        names = [name for name in request.query.get("sObjects", "").split(",") if name]
        counts = []
        for sobject in self._org.objects.values():
            if (not names or sobject.name in names) and not sobject.is_tooling:
                rows = self._org.tables[sobject.name].rows.values()
                count = sum(not row.get("IsDeleted") for row in rows)
                counts.append({"count": count, "name": sobject.name})
        return json_answer({"sObjects": counts})

    def objects(self, _request: Request, v: str) -> Answer:
        """List the objects."""
        shown = [one.summary(v) for one in self._org.objects.values() if not one.is_tooling]
        return json_answer({"encoding": "UTF-8", "maxBatchSize": _MOST_ROWS, "sobjects": shown})

    def basic(self, _request: Request, v: str, sobject: str) -> Answer:
        """Give an object's summary."""
        one = writable(self._org, sobject)
        return json_answer({"objectDescribe": one.summary(v), "recentItems": []})

    def describe(self, _request: Request, v: str, sobject: str) -> Answer:
        """Describe an object with the fields that the user sees."""
        one = writable(self._org, sobject)
        return json_answer(one.described(v, self._org.visible(one).values()))

    def updated(self, request: Request, v: str, sobject: str) -> Answer:
        """List the ids of rows changed in a span of time."""
        one, start, end = self._replicable(request, sobject, timedelta(days=30))
        rows = self._org.tables[one.name].rows
        ids = [
            record_id
            for record_id in self._org.tables[one.name].between("SystemModstamp", start, end)
            if not rows[record_id].get("IsDeleted")
        ]
        return json_answer({"ids": ids, "latestDateCovered": self._covered(end)})

    def deleted(self, request: Request, v: str, sobject: str) -> Answer:
        """List the ids of rows deleted in a span of time, purged ones too."""
        one, start, end = self._replicable(request, sobject, timedelta(days=15))
        log = self._org.tables[one.name].deleted_at
        return json_answer(
            {
                "deletedRecords": [
                    {"id": record_id, "deletedDate": at}
                    for record_id, at in log.items()
                    if start <= at <= end
                ],
                "earliestDateAvailable": stamp(self._org.now() - timedelta(days=15)),
                "latestDateCovered": self._covered(end),
            }
        )

    def _replicable(
        self, request: Request, name: str, reach: timedelta
    ) -> tuple[SObject, str, str]:
        sobject = writable(self._org, name)
        if "replicateable" not in sobject.abilities:
            raise Refused("INVALID_TYPE", f"{sobject.name} is not replicable")
        try:
            start, end = (
                datetime.fromisoformat(request.query.get(word, "")) for word in ("start", "end")
            )
            if start.tzinfo is None or end.tzinfo is None:
                raise ValueError("no zone")
        except ValueError:
            raise Refused("INVALID_REPLICATION_DATE", "start and end need a zone") from None
        if start >= end or start < self._org.now() - reach:
            raise Refused(
                "INVALID_REPLICATION_DATE", f"startDate is after endDate or over {reach.days} days"
            )
        return sobject, stamp(start), stamp(end)

    def _covered(self, end: str) -> str:
        return min(end, stamp(self._org.now()))
