"""Any sequence of edits, merges, crashes and runs keeps the laws of writing.

People edit both CRMs in every way that they can; our own runs are complete, die at a commit, or
meet a vendor that is ill. What people typed is named by a word that nobody types twice, so that
every value tells where it comes from: a value may only be overwritten by one whose author had
seen it, or by a person's decision.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import Engine, event

from agreement.errors import TandemError
from agreement.records import FieldKind, canonical
from connectors.clock import utc_now
from connectors.hubspot import HubSpot, unpaced
from connectors.salesforce import Jobs, Salesforce
from connectors.transport import Budget, Pacer, Road
from flows.night import night
from flows.run import Run, open_run
from flows.undo import undo_run
from flows.writes import apply_plan
from standins.faults import Fault
from tests.flows.small import HOUR, Small, serve_small

PEOPLE = 4
PLACES = {"contacts": ("hubspot", "contact"), "Contact": ("salesforce", "contact"),
          "Lead": ("salesforce", "lead")}  # fmt: skip
ALL = {**PLACES, "companies": ("hubspot", "company"), "Account": ("salesforce", "account")}
SHARED = {
    "title": {"contacts": "jobtitle", "Contact": "Title", "Lead": "Title"},
    "phone": {"contacts": "phone", "Contact": "Phone", "Lead": "Phone"},
}
OPT_OUT = {"contacts": "hs_email_optout", "Contact": "HasOptedOutOfEmail",
           "Lead": "HasOptedOutOfEmail"}  # fmt: skip
# What a vendor itself moves when somebody writes.
BY_ITSELF = {"hs_lastmodifieddate", "lastmodifieddate", "LastModifiedDate", "SystemModstamp",
             "LastModifiedById", "hs_updated_by_user_id"}  # fmt: skip

BATCHES = {
    True: "POST /crm/v3/objects/{type}/batch/update",
    False: "PATCH /services/data/{v}/composite/sobjects",
}
FAULTS = st.sampled_from(
    [
        Fault(503),
        Fault(503, is_after=True),
        Fault(is_cut=True),
        Fault(is_after=True, is_cut=True),
        Fault(rows=1),
    ]
)


class Crash(BaseException):
    """The process dies here; nothing of ours may catch it."""


@contextmanager
def dying_at(commit: int | None) -> Iterator[Callable[[], None]]:
    """Die before a commit and at each one tried afterwards; it counts once it is told to."""
    count: int | None = None

    def start() -> None:
        nonlocal count
        count = 0

    def die(_connection: Any) -> None:
        nonlocal count
        if count is None or commit is None:
            return
        count += 1
        if count >= commit:
            raise Crash

    event.listen(Engine, "commit", die)
    try:
        yield start
    finally:
        event.remove(Engine, "commit", die)


class Machine(RuleBasedStateMachine):
    """Two small CRMs; `seen` holds for each typed word the words its author had seen."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.stack = ExitStack()
        self.small: Small = self.stack.enter_context(serve_small(self.folder, people=PEOPLE))
        self.seen: dict[Any, set[Any]] = {}
        self.cells: dict[tuple[str, str, str], Any] = {}
        self.typed = 0
        self.runs: list[str] = []
        self.waiting: str | None = None
        self.decided: set[Any] = set()
        self.is_sound = self.is_undoing = False
        self.kinds_of: dict[tuple[str, str], Any] = {}

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.two_quiet_nights_bring_both_together()
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)

    # What people do ------------------------------------------------------------------------------

    @initialize()
    def first_night(self) -> None:
        small = self.small
        for number in (PEOPLE, PEOPLE + 1):
            email, title = f"person{number}@lead{number}.test", f"title {number}"
            small.hubspot.add("contacts", {"email": email, "jobtitle": title}, created_at=small.now)
            lead = {"LastName": "X", "Company": "Y", "Email": email, "Title": title}
            small.salesforce.add("Lead", lead, created_at=small.now)
        self.look()
        self.run("apply")

    def records(self, kind: str) -> dict[str, Any]:
        standin = self.small.hubspot if kind == "contacts" else self.small.salesforce
        found = standin.records(kind)
        return {key: found[key] for key in found if self.is_editable(kind, found[key])}

    @staticmethod
    def is_editable(kind: str, values: Any) -> bool:
        return kind != "Lead" or not values["IsConverted"]

    def pick(self, kind: str, place: int) -> str | None:
        found = sorted(self.records(kind))
        return found[place % len(found)] if found else None

    def set(self, kind: str, record: str, values: dict[str, Any]) -> None:
        self.small.now += HOUR
        standin = self.small.hubspot if kind == "contacts" else self.small.salesforce
        standin.set(kind, record, values, at=self.small.now)

    kinds = st.sampled_from(["contacts", "Contact", "Lead"])
    places = st.integers(0, 7)

    edits = st.tuples(
        kinds, places, st.sampled_from([*SHARED]), st.sampled_from([False] * 4 + [True])
    )

    @rule(edits=st.lists(edits, min_size=1, max_size=4))
    def edit(self, edits: list[tuple[str, int, str, bool]]) -> None:
        for kind, place, name, is_emptied in edits:
            if (record := self.pick(kind, place)) is not None:
                self.type(kind, record, name, None if is_emptied else self.word(name))

    def word(self, name: str) -> str:
        """Give a value that nobody typed before."""
        self.typed += 1
        return f"t{self.typed}" if name == "title" else f"+1 212 555 {self.typed:04d}"

    @rule(place=places, name=st.sampled_from([*SHARED]))
    def edit_both_to_the_same(self, place: int, name: str) -> None:
        word = self.word(name)
        for kind in ("contacts", "Contact"):
            if (record := self.pick(kind, place)) is not None:
                self.type(kind, record, name, word)

    def type(self, kind: str, record: str, name: str, value: str | None) -> None:
        self.set(kind, record, {SHARED[name][kind]: value or ("" if kind == "contacts" else None)})
        cell = (kind, record, name)
        self.typed += 1
        old, new = self.cells.get(cell), value or ("blank", self.typed)
        self.seen.setdefault(new, set()).update({old, *self.seen.get(old, ())})
        self.cells[cell] = new

    @rule(kind=kinds, place=places)
    def opt_out(self, kind: str, place: int) -> None:
        if (record := self.pick(kind, place)) is not None:
            self.set(kind, record, {OPT_OUT[kind]: "true" if kind == "contacts" else True})

    @rule(place=places)
    def call(self, place: int) -> None:
        """Change an input of our own fields."""
        now = self.small.now
        self.small.salesforce.add(
            "Task",
            {"WhoId": self.pick("Contact", place), "Subject": "Call", "TaskSubtype": "Call",
             "Status": "Completed", "IsClosed": True, "CallType": "Outbound", "CallDisposition":
             "Connected", "CompletedDateTime": now.isoformat(), "ActivityDate":
             now.date().isoformat()},
            created_at=now,
        )  # fmt: skip

    @precondition(lambda self: len(self.records("contacts")) > 3)
    @rule(kind=kinds, place=places)
    def delete(self, kind: str, place: int) -> None:
        record = self.pick(kind, place)
        if record is None or len(self.records(kind)) < 2:
            return
        self.small.now += HOUR
        if kind == "contacts":
            self.small.hubspot.archive(kind, record, at=self.small.now)
        else:
            self.small.salesforce.delete(kind, record, at=self.small.now)
        self.look()

    @rule(kind=st.sampled_from(["contacts", "Contact"]), one=places, other=places)
    def merge(self, kind: str, one: int, other: int) -> None:
        first, second = self.pick(kind, one), self.pick(kind, other)
        if first == second or first is None or second is None or len(self.records(kind)) < 3:
            return
        self.small.now += HOUR
        if kind == "contacts":
            self.small.hubspot.merge(kind, first, second, at=self.small.now)
        else:
            self.small.salesforce.merge(kind, first, [second], at=self.small.now)
        self.look()

    @rule(place=places)
    def convert(self, place: int) -> None:
        lead = self.pick("Lead", place)
        if lead is None:
            return
        small = self.small
        small.now += HOUR
        values = dict(small.salesforce.records("Lead")[lead])
        [account] = list(small.salesforce.records("Account"))
        fields = {"LastName": "X", "Email": values["Email"], "AccountId": account}
        fields |= {name: values[name] for name in ("Title", "Phone") if values[name]}
        contact = small.salesforce.add("Contact", fields, created_at=small.now)
        small.salesforce.convert(lead, at=small.now, contact_id=contact, account_id=account)
        self.look()

    @rule(is_theirs=st.booleans())
    def decide(self, is_theirs: bool) -> None:
        with self.small.store() as store:
            for row in store.open_conflicts().head(1).to_dict("records"):
                side = "salesforce" if is_theirs else "hubspot"
                store.decide_conflict(row["conflict_id"], side, by="ops", at=utc_now())
                self.decided.add((row["field"], row["hubspot_value"], row["salesforce_value"]))

    @rule()
    def release(self) -> None:
        with self.small.store() as store:
            store.release_holds(None, by="ops", at=self.small.now)

    # What we do ----------------------------------------------------------------------------------

    @rule(dies_at=st.none() | st.integers(1, 60))
    def sync(self, dies_at: int | None) -> None:
        """Run a night; it may die before any of its commits."""
        self.run("apply", dies_at=dies_at)

    @rule(fault=FAULTS, nth=st.integers(1, 40), is_hubspot=st.booleans())
    def sync_with_an_ill_vendor(self, fault: Fault, nth: int, is_hubspot: bool) -> None:
        standin = self.small.hubspot if is_hubspot else self.small.salesforce
        is_row = bool(fault.rows)
        standin.faults.plan(
            fault,
            template=BATCHES[is_hubspot] if is_row else None,
            nth=1 if is_row else nth,
            times=8,
        )
        self.run("apply")
        standin.faults.clear()

    @rule()
    def plan(self) -> None:
        before = self.state()
        self.run("plan")
        assert self.state() == before, "a plan writes nothing"

    @precondition(lambda self: self.waiting)
    @rule(dies_at=st.none() | st.integers(1, 12))
    def apply(self, dies_at: int | None) -> None:
        plan_id = self.waiting
        self.act(lambda run: apply_plan(run, str(plan_id)), dies_at)

    @precondition(lambda self: self.runs)
    @rule(place=st.integers(0, 30), dies_at=st.none() | st.integers(1, 12))
    def undo(self, place: int, dies_at: int | None) -> None:
        self.take_back(self.runs[-1 - place % len(self.runs)], dies_at)

    @precondition(lambda self: self.runs)
    @rule(place=st.integers(0, 5))
    def undo_and_see_that_the_next_night_leaves_it(self, place: int) -> None:
        self.run("apply")
        before = self.state()
        self.take_back(self.runs[-1 - place % len(self.runs)])
        undone = self.state()
        self.run("apply")
        moved = {
            place for place in changes(before, undone) if place in changes(undone, self.state())
        }
        assert not moved, f"the next night wrote what an undo took back: {moved}"

    def two_quiet_nights_bring_both_together(self) -> None:
        self.run("apply")
        self.run("apply")
        before = self.state()
        summary = self.run("apply")
        assert summary["written"] == {"hubspot": {}, "salesforce": {}}
        assert self.state() == before
        self.check_agreement(summary)

    # Running -------------------------------------------------------------------------------------

    def connect(self, given: Any) -> tuple[HubSpot, Salesforce]:
        url, token = given.hubspot_access()
        hubspot = HubSpot(url, token, pacers=unpaced(), attempts=2, sleep=lambda seconds: None)
        road = Road(Budget("salesforce"), {"all": Pacer(None, 1)}, sleep=lambda seconds: None)
        jobs = Jobs(sleep=lambda seconds: None)
        return hubspot, Salesforce.from_settings(given, road=road, jobs=jobs)

    def run(self, mode: Any, dies_at: int | None = None) -> dict[str, Any]:
        self.small.now += timedelta(days=1)
        summary = self.act(lambda run: night(run, mode), dies_at)
        if mode == "plan" and summary:
            self.waiting = str(summary["plan_id"])
        return summary

    def act(self, work: Any, dies_at: int | None = None) -> dict[str, Any]:
        """Do a run and hold what it did against the laws; it may die, or a vendor may."""
        self.is_sound = False
        before, summary, count = self.state(), {}, len(self.runs)
        try:
            with (
                dying_at(dies_at) as start,
                open_run(
                    self.small.settings,
                    as_of=self.small.now,
                    tell=lambda *said: None,
                    connect_by=self.connect,
                ) as run,
            ):
                self.runs.append(run.run_id)
                self.note_kinds(run)
                start()
                summary = work(run)
        except (Crash, TandemError):
            summary = {}
        self.check_outbox(before, self.runs[count:])
        self.is_sound = True
        return summary

    def note_kinds(self, run: Run) -> None:
        if not self.kinds_of:
            crms = {crm.system: crm for crm in run.crms}
            self.kinds_of = {
                (system, kind): crms[system].describe(kind) for system, kind in ALL.values()
            }

    def take_back(self, run_id: str, dies_at: int | None = None) -> None:
        before = self.state()
        summary = self.act_undo(run_id, dies_at)
        if not summary:
            return
        with self.small.store() as store:
            done = [row for row in store.written(run_id=run_id) if row.state == "confirmed"]
        expected = {
            (row.system, row.kind, row.record_id, field)
            for row in done
            for field, after in row.after.items()
            if self.text(before, (row.system, row.kind, row.record_id, field)) == after
            and after != row.before[field]
            and field not in OPT_OUT.values()
            and (row.system, row.kind, row.record_id) in before
            # What the vendor made final: a converted lead takes nothing more.
            and not before[row.system, row.kind, row.record_id].get("IsConverted")
        }
        restored = changes(before, self.state())
        assert restored == expected, f"undo: {restored ^ expected}"

    def act_undo(self, run_id: str, dies_at: int | None) -> dict[str, Any]:
        self.is_undoing = True
        try:
            return self.act(lambda run: undo_run(run, run_id, is_applied=True), dies_at)
        finally:
            self.is_undoing = False

    # What must hold ------------------------------------------------------------------------------

    def state(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        found = {}
        for name, (system, kind) in ALL.items():
            standin = self.small.hubspot if system == "hubspot" else self.small.salesforce
            for record, values in standin.records(name).items():
                found[system, kind, record] = {
                    field: value for field, value in values.items() if field not in BY_ITSELF
                }
        return found

    def text(self, state: Any, place: tuple[str, str, str, str]) -> str | None:
        value = state.get(place[:3], {}).get(place[3])
        return self.spelt(place, canonical(value, self.kind_of(place)))

    def kind_of(self, place: tuple[str, str, str, str]) -> FieldKind:
        found: FieldKind = self.kinds_of[place[:2]][place[3]].kind
        return found

    def spelt(self, place: tuple[str, str, str, str], text: str | None) -> str | None:
        """Take a box that nobody ever ticked for one that is not ticked."""
        return text or ("false" if self.kind_of(place) == "boolean" else None)

    def check_outbox(self, before: Any, runs: list[str]) -> None:
        """Every change is a write in the outbox with its before-image, in a field we may write."""
        after = self.state()
        assert before.keys() == after.keys(), "a run makes no record and deletes none"
        with self.small.store() as store:
            # A run that did not get as far as its number wrote nothing.
            rows = [row for run_id in runs for row in store.written(run_id=run_id)]
        sent = {
            (row.system, row.kind, row.record_id, field): (row.before[field], value)
            for row in rows
            if row.state in {"sent", "confirmed"}
            for field, value in row.after.items()
        }
        moved = changes(before, after)
        for place in moved:
            assert place in sent, f"{place} changed and is not in the outbox"
            image = self.text(before, place), self.text(after, place)
            noted = tuple(self.spelt(place, text) for text in sent[place])
            assert image == noted, f"{place}: {noted} in the outbox, {image} in truth"
            assert is_ours(place[3]) or place[3] in {*OPT_OUT.values(), *shared_fields()}, place
        confirmed = {
            (row.system, row.kind, row.record_id, field): value
            for row in rows
            if row.state == "confirmed"
            for field, value in row.after.items()
        }
        for place, value in confirmed.items():
            assert self.text(after, place) == value, f"{place} is confirmed and holds another value"
        self.check_people(before, after)

    def check_people(self, before: Any, after: Any) -> None:
        """No edit is overwritten but by one whose author had seen it; a blank never wins."""
        for name, fields in SHARED.items():
            for kind, field in fields.items():
                system, singular = PLACES[kind]
                for place, values in after.items():
                    if place[:2] != (system, singular):
                        continue
                    cell = (kind, place[2], name)
                    old, new = before[place].get(field) or None, values.get(field) or None
                    if old == new:
                        continue
                    was = self.cells.get(cell)
                    token = new or ("blank", "restored", *cell)
                    self.cells[cell] = token
                    if self.is_undoing:
                        continue
                    assert new is not None, f"{cell}: a blank won over {old}"
                    is_seen = was in self.seen.get(token, ()) or was is None
                    is_fill = old is None
                    is_decided = any({old, new} <= {one, other} for _, one, other in self.decided)
                    assert is_seen or is_fill or is_decided, f"{cell}: {was} lost to {token}"
        for kind, field in OPT_OUT.items():
            for place, values in after.items():
                if place[:2] == PLACES[kind] and str(before[place].get(field)).lower() == "true":
                    assert str(values.get(field)).lower() == "true", "an opt-out was taken back"

    def look(self) -> None:
        """Note what records hold that appeared or were changed by a merge."""
        for name, fields in SHARED.items():
            for kind, field in fields.items():
                for record, values in self.records(kind).items():
                    value = values.get(field) or None
                    cell = (kind, record, name)
                    known = self.cells.get(cell)
                    if value is not None:
                        self.cells[cell] = value
                    elif not isinstance(known, tuple):
                        self.cells[cell] = ("blank", "born", record, name)

    def check_agreement(self, summary: Any) -> None:
        """Linked records hold the same, or a conflict, a hold or a refusal says why not."""
        with self.small.store() as store:
            links = store.crosswalk()
            conflicts = {
                (row["hubspot_id"], row["salesforce_id"], row["field"])
                for row in store.open_conflicts().to_dict("records")
            }
            holds = {(row["record_id"], row["field"]) for row in store.holds().to_dict("records")}
        people = links[(links["entity"] == "person") & links["is_survivor"]]
        hubspot = people[people["system"] == "hubspot"].set_index("entity_id")["record_id"]
        state = self.state()
        for row in people[people["system"] == "salesforce"].to_dict("records"):
            one = hubspot.get(row["entity_id"])
            theirs = state.get(("salesforce", row["kind"], row["record_id"]))
            mine = state.get(("hubspot", "contact", one))
            # A converted lead whose contact is gone takes nothing: the vendor made it final.
            if mine is None or theirs is None or theirs.get("IsConverted"):
                continue
            for name, field in (("job_title", "title"), ("phone", "phone")):
                kind = row["kind"].capitalize()
                left = mine.get(SHARED[field]["contacts"]) or None
                right = theirs.get(SHARED[field][kind]) or None
                is_told = (
                    (one, row["record_id"], name) in conflicts
                    or (one, SHARED[field]["contacts"]) in holds
                    or (row["record_id"], SHARED[field][kind]) in holds
                )
                assert left == right or is_told, f"{name}: {left} and {right}, and nobody is told"
            if str(mine.get("hs_email_optout")).lower() == "true":
                assert theirs["HasOptedOutOfEmail"], "an opt-out did not reach Salesforce"


def shared_fields() -> set[str]:
    return {field for fields in SHARED.values() for field in fields.values()}


def is_ours(field: str) -> bool:
    return field.startswith(("tandem_", "Tandem_"))


def changes(one: Any, other: Any) -> set[tuple[str, str, str, str]]:
    return {
        (*place, field)
        for place in one.keys() & other.keys()
        for field in one[place].keys() | other[place].keys()
        if filled(one[place].get(field)) != filled(other[place].get(field))
    }


def filled(value: Any) -> Any:
    return None if value == "" else value


TestWriting = pytest.mark.slow(Machine.TestCase)
TestWriting.settings = settings(max_examples=3, stateful_step_count=30, deadline=None)
