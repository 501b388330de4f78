"""What people say of what waits for them: checked as a whole, kept, and used at once."""

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import pandas as pd

from agreement.errors import BadInput, Busy
from agreement.pairs import Place, ordered, pair_id
from connectors.clock import utc_now
from connectors.settings import Settings
from connectors.store import Store
from connectors.store.identity import Decided, Decision
from flows.reading import reading_of
from flows.reconcile import normalise_mirrors

SYSTEMS = ("hubspot", "salesforce")
DECISIONS: tuple[Decision, ...] = get_args(Decision)
# Columns of a file of decisions.
COLUMNS = ("id", "left", "right", "decision", "side")
_WORDS = ("decision", "side")
_MOST_FAULTS = 20
_KINDS = ("contact", "lead", "company", "account", "deal", "opportunity")


@dataclass(frozen=True)
class Answer:
    """One answer as it was given: of a review or conflict by its id, or of two records.

    `where` says where it stood, for a fault to name.
    """

    decision: str
    id: str = ""
    left: str = ""
    right: str = ""
    side: str = ""
    where: str = ""


@dataclass(frozen=True)
class Checked:
    """Answers that can be followed: on pairs, and whose value a conflict takes."""

    pairs: Sequence[Decided]
    conflicts: Mapping[str, str]


def answer_of(decision: str, what: Sequence[str], side: str | None) -> Answer:
    """Read the arguments of a command: one id, or two records written as system/kind/id.

    Raises:
        BadInput: neither one nor two.
    """
    if len(what) == 1:
        return Answer(decision, id=what[0], side=side or "")
    if len(what) == 2:
        return Answer(decision, left=what[0], right=what[1], side=side or "")
    raise BadInput(
        "give one id from `tandem review`, or two records, such as hubspot/contact/7 "
        "salesforce/lead/00Q000000000001EAA"
    )


def read_answers(path: Path) -> list[Answer]:
    """Read a file of decisions: CSV with `decision` and `id`, or with `left` and `right`.

    A row without a decision is no answer yet and left out, and other columns are for the reader.
    What spreadsheets make of such a file is read too: semicolons, capital letters.

    Raises:
        BadInput: the file cannot be read or has no such columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = ";" if first.count(";") > first.count(",") else ","
            reader = csv.DictReader(file, delimiter=delimiter)
            header = [name.strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV file in UTF-8"
        raise BadInput(f"{path}: cannot be read: {reason}") from None
    if "decision" not in header or not ({"id"} <= {*header} or {"left", "right"} <= {*header}):
        raise BadInput(f"{path}: needs a column decision, and id, or left and right")
    return [
        Answer(
            **{name: _cell(row, name) for name in COLUMNS},
            where=f"{path.name} row {number}: ",
        )
        for number, row in enumerate(rows, start=2)
        if (row["decision"] or "").strip()
    ]


def _cell(row: Mapping[str, str | None], name: str) -> str:
    cell = (row.get(name) or "").strip()
    return cell.lower() if name in _WORDS else cell


def check(store: Store, answers: Sequence[Answer]) -> Checked:
    """Find what each answer is about.

    Raises:
        BadInput: one that cannot be followed, or two that contradict; all are named, and none
            counts.
    """
    book = _Book.read(store)
    pairs: dict[str, Decided] = {}
    conflicts: dict[str, str] = {}
    faults: list[str] = []
    for answer in answers:
        try:
            key, found = book.find(answer)
        except BadInput as error:
            faults.append(f"{answer.where}{error}")
            continue
        chosen: dict[str, Any] = conflicts if isinstance(found, str) else pairs
        if chosen.setdefault(key, found) != found:
            faults.append(f"{answer.where}{key} is answered twice, and not the same way")
    if not answers:
        faults.append("there is no decision in it")
    if faults:
        more = len(faults) - _MOST_FAULTS
        shown = faults[:_MOST_FAULTS] + ([f"and {more} more"] if more > 0 else [])
        raise BadInput("nothing was decided: " + "; ".join(shown))
    return Checked(list(pairs.values()), conflicts)


@dataclass(frozen=True)
class _Book:
    """What can be answered: reviews by id, open conflicts, and every known record."""

    reviews: Mapping[str, tuple[str, Place, Place]]
    conflicts: frozenset[str]
    records: Mapping[Place, str]

    @classmethod
    def read(cls, store: Store) -> Self:
        links, reviews = store.crosswalk(), store.reviews(is_open=False)
        left, right = (
            _places(reviews, *(f"{side}_{part}" for part in ("system", "kind", "id")))
            for side in ("left", "right")
        )
        pairs = zip(reviews["entity"], left, right, strict=True)
        return cls(
            dict(zip(reviews["review_id"], pairs, strict=True)),
            frozenset(store.open_conflicts()["conflict_id"]),
            dict(zip(_places(links, "system", "kind", "record_id"), links["entity"], strict=True)),
        )

    def find(self, answer: Answer) -> tuple[str, Decided | str]:
        """Give the id of what an answer is about, and the decision or the side that it takes.

        Raises:
            BadInput: it cannot be followed.
        """
        if answer.decision not in DECISIONS:
            raise BadInput(f"{answer.decision!r} is no decision; use {', '.join(DECISIONS)}")
        if answer.id in self.conflicts:
            return answer.id, _side_of(answer)
        if answer.side:
            raise BadInput("a side is for conflicts of a shared field; leave it out")
        entity, left, right = self._pair(answer)
        decision: Decision = answer.decision
        return pair_id(entity, left, right), Decided(entity, left, right, decision)

    def _pair(self, answer: Answer) -> tuple[str, Place, Place]:
        if answer.id:
            if answer.id not in self.reviews:
                raise BadInput(self._unknown(answer.id))
            return self.reviews[answer.id]
        left, right = ordered(self._place(answer.left), self._place(answer.right))
        if left == right:
            raise BadInput(f"{answer.left} is one record; a pair needs two")
        if self.records[left] != self.records[right]:
            raise BadInput(f"{'/'.join(left)} and {'/'.join(right)} are not of one sort")
        return self.records[left], left, right

    def _unknown(self, asked: str) -> str:
        """Say what is wrong with an id that nobody asked about."""
        if asked.count("/") == 2:
            return f"{asked} is one record; name the other one too"
        near = difflib.get_close_matches(asked, [*self.reviews, *self.conflicts], n=1, cutoff=0.8)
        hint = f"did you mean {near[0]}?" if near else "see `tandem review`"
        return f"{asked} is no review or open conflict; {hint}"

    def _place(self, text: str) -> Place:
        parts = [part.strip() for part in text.split("/")]
        if len(parts) != 3 or parts[0] not in SYSTEMS or parts[1] not in _KINDS:
            raise BadInput(
                f"{text!r} is no record; write system/kind/id, such as hubspot/contact/7"
            )
        system, kind, record_id = parts
        if (system, kind, record_id) in self.records:
            return system, kind, record_id
        short = [
            place
            for place in self.records
            if system == "salesforce" and place[:2] == (system, kind) and place[2][:15] == record_id
        ]
        if not short:
            raise BadInput(
                f"{text} is not known, or merged away or deleted; run `tandem sync` first"
            )
        return short[0]


def _places(frame: pd.DataFrame, system: str, kind: str, record_id: str) -> list[Place]:
    return list(zip(frame[system], frame[kind], frame[record_id], strict=True))


def _side_of(answer: Answer) -> str:
    if answer.decision != "accept":
        raise BadInput(
            f"{answer.id} is a conflict of values: accept it with the side that is right"
        )
    if answer.side not in SYSTEMS:
        raise BadInput(
            f"{answer.id} is a conflict of values: say which side is right, hubspot or salesforce"
        )
    return answer.side


# What it changes ---------------------------------------------------------------------------------


def decide(store: Store, settings: Settings, answers: Sequence[Answer], by: str) -> dict[str, Any]:
    """Note answers, all or none, and link what they link at once, on what was last read.

    Gives per pair whether its records are one now, and each record that changed its person, account
    or deal. While a run holds the lock, the answers are kept and that run's next one uses them.

    Raises:
        BadInput: nobody is named, or an answer cannot be followed; nothing was noted.
    """
    person = by.strip()
    if not person:
        raise BadInput("nothing was decided: say who decides, with --by")
    checked = check(store, answers)
    at = utc_now()
    store.decide_matches(checked.pairs, by=person, at=at)
    for conflict_id, side in checked.conflicts.items():
        store.decide_conflict(conflict_id, side, by=person, at=at)
    before = store.crosswalk()
    is_used = bool(checked.pairs) and _link_anew(store, settings)
    after = store.crosswalk()
    return {
        "by": person,
        "decided": dict(Counter(row.decision for row in checked.pairs)),
        "conflicts_settled": len(checked.conflicts),
        "is_used": is_used,
        "pairs": [_outcome(row, after, is_used=is_used) for row in checked.pairs],
        "changed": _changed(before, after),
        "waiting": len(store.reviews()),
    }


def _link_anew(store: Store, settings: Settings) -> bool:
    """Work out who is who from the mirrors as they are, and keep it; False when a run is busy."""
    try:
        with store.hold_lock():
            reading = reading_of(store, settings)
            started_at = utc_now()
            known = normalise_mirrors(reading)
            run_id = store.start_run(
                as_of=reading.as_of,
                agreement_version=reading.agreement.name,
                started_at=started_at,
            )
            store.save_crosswalk(run_id, known.crosswalk, at=utc_now())
            store.save_reviews(run_id, known.reviews, at=utc_now())
            store.end_run(run_id, result="done", summary={"mode": "review"}, ended_at=utc_now())
    except Busy:
        return False
    return True


def _outcome(row: Decided, links: pd.DataFrame, *, is_used: bool) -> dict[str, Any]:
    entity_ids = {_entity_of(links, place) for place in (row.one, row.other)}
    return {
        "id": pair_id(row.entity, row.one, row.other),
        "left": "/".join(row.one),
        "right": "/".join(row.other),
        "decision": row.decision,
        "is_linked": len(entity_ids) == 1 and None not in entity_ids if is_used else None,
    }


def _entity_of(links: pd.DataFrame, place: Place) -> str | None:
    system, kind, record_id = place
    found = links.loc[
        (links["record_id"] == record_id) & (links["system"] == system) & (links["kind"] == kind),
        "entity_id",
    ]
    return str(found.iloc[0]) if len(found) else None


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> list[dict[str, str]]:
    """List the records whose person, account or deal is another one now."""
    keys = ["entity", "system", "kind", "record_id"]
    both = before[[*keys, "entity_id"]].merge(
        after[[*keys, "entity_id"]], on=keys, suffixes=("_before", "_after")
    )
    moved = both[both["entity_id_before"] != both["entity_id_after"]]
    return [
        {
            "record": "/".join(str(row[name]) for name in keys[1:]),
            "before": str(row["entity_id_before"]),
            "after": str(row["entity_id_after"]),
        }
        for row in moved.sort_values(keys).to_dict("records")
    ]
