"""Guards of sources, creations and canaries: each stops before the first write it speaks against.

Those of shares are in `test_writing.py`.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from agreement.errors import GuardStopped
from agreement.frames import Writes, as_text, empty
from flows import night as nights
from flows.deliver import guard
from flows.plan import Plan
from flows.writes import apply_plan, plan_view
from tests.flows.small import HOUR, serve_small
from transforms.guards import creations_in, guard_faults

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give a company of four people after its first night."""
    with serve_small(tmp_path_factory.mktemp("guards"), people=4) as served:
        served.night()
        yield served


def test_a_source_that_shrank_stops_before_the_first_write(tmp_path):
    with serve_small(tmp_path, people=5) as small:
        small.night()
        for record_id in small.hubspot_ids[:3]:
            small.hubspot.gdpr_delete(record_id, at=small.now)
        small.edit_salesforce(4, Title="would travel")
        small.now += HOUR
        writes = small.writes()
        with small.run() as run, pytest.raises(GuardStopped, match="hubspot gave 2 of 5"):
            nights.night(replace(run, is_full=True), "apply")
        assert small.writes() == writes
        assert small.titles(4)[0] == "title 4"


def test_a_source_that_shrank_by_less_than_the_guard_passes(tmp_path):
    with serve_small(tmp_path, people=4) as small:
        small.night()
        small.hubspot.gdpr_delete(small.hubspot_ids[0], at=small.now)
        small.edit_salesforce(3, Title="travels")
        small.now += HOUR
        with small.run() as run:
            nights.night(replace(run, is_full=True), "apply")
        assert small.titles(3)[0] == "travels"


def planned(record_id: str) -> Writes:
    given = {
        "system": "salesforce", "kind": "contact", "record_id": record_id,
        "field": "Title", "before": None, "after": "made up", "reason": "a test",
    }  # fmt: skip
    return Writes.validate(
        empty(Writes).assign(**{name: as_text([value]) for name, value in given.items()})
    )


def test_a_plan_that_would_make_a_record_is_refused_before_the_first_write(small):
    known = {("salesforce", "contact"): small_mirror(small)}
    writes, before = small.writes(), len(small.salesforce.records("Contact"))
    with small.run() as run:
        limits = run.agreement.guards
        made = planned("0035g000000999AAAA")
        faults = guard_faults(made, {}, limits, creations_in(made, known))
        plan = Plan("p", made, {}, notes={"guards": faults})
        with pytest.raises(GuardStopped, match=r"1 salesforce contact records would be created"):
            guard(run, plan)
        there = planned(small.contact_ids[0])
        assert guard_faults(there, {}, limits, creations_in(there, known)) == []
    assert small.writes() == writes
    assert len(small.salesforce.records("Contact")) == before


def small_mirror(small):
    with small.store() as store:
        return store.mirror("salesforce", "contact", [])


def test_a_write_to_a_record_that_went_meanwhile_makes_none(tmp_path):
    with serve_small(tmp_path) as small:
        small.night()
        small.edit_hubspot(0, jobtitle="typed here")
        plan_id = small.night("plan")["plan_id"]
        small.salesforce.delete("Contact", small.contact_ids[0], at=small.now)
        left = len(small.salesforce.records("Contact"))
        with small.run() as run:
            applied = apply_plan(run, plan_id)
        assert small.contact_ids[0] in {row["record_id"] for row in applied["stale"]}
        assert len(small.salesforce.records("Contact")) == left == 1


def test_a_canary_share_is_written_first_and_all_of_it_before_the_rest(tmp_path):
    with serve_small(tmp_path, people=6) as small:
        plan_id = small.night("plan")["plan_id"]
        with small.run() as run:
            apply_plan(run, plan_id, canary=Decimal("0.2"))
        with small.store() as store:
            rows = [row for row in store.written(plan_id=plan_id) if row.kind == "contact"]
            assert set(plan_view(store, plan_id)["states"]) == {"confirmed"}
        first = sorted(rows, key=lambda row: row.sent_at)
        for system in ("hubspot", "salesforce"):
            times = [row.sent_at for row in first if row.system == system]
            assert times.count(times[0]) == 2, "a fifth of six contacts, rounded up"
        canaries = [row for row in first if row.sent_at in {r.sent_at for r in first[:2]}]
        others = [row for row in first if row not in canaries]
        assert max(row.answered_at for row in canaries) <= min(row.sent_at for row in others)
