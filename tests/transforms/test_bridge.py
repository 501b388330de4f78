"""Every MQL in exactly one class."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement.policy import Definitions, Exclusion, load_agreement
from tests import builders
from transforms.bridge import CLASSES, bridge

LEAD = "00Q000000000001EAA"
MQL_AT = "2026-03-02T15:00Z"
DEFINITIONS = Definitions(
    mql=load_agreement().definitions.mql,
    exclusions=(Exclusion(name="internal", email_domains=("us.test",)),),
)


def accounted(
    contact=None, answer=None, is_linked=True, others=(), reason=None, reviews=(), decisions=()
):
    """Account for one MQL contact; give its row as a dict."""
    links = [{"entity_id": "p1", "record_id": "1", "rule": "stored id"}]
    if is_linked:
        theirs = {"system": "salesforce", "kind": "lead", "record_id": LEAD, "rule": "stored id"}
        links.append({"entity_id": "p1"} | theirs)
    found = bridge(
        builders.mqls({"person_id": "p1", "record_id": "1", "mql_at": MQL_AT}),
        builders.handoffs(
            {
                "handoff_id": "p1:1",
                "started_at": MQL_AT,
                "answer": answer,
                "answer_reason": reason,
            }
        ),
        builders.crosswalk(*links),
        builders.people(
            {"record_id": "1", "email": "a@x.test", "owner_id": "7"} | (contact or {}), *others
        ),
        builders.reviews(*reviews),
        builders.match_decisions(*decisions),
        DEFINITIONS,
    )
    (row,) = found.to_dict("records")
    return row["bridge_class"], row["rule"], row["detail"]


def test_a_known_record_links_by_its_rule():
    assert accounted() == ("linked", "stored id", f"lead {LEAD}")
    assert accounted(answer="accepted")[0] == "linked"


def test_an_exclusion_goes_before_everything():
    assert accounted(contact={"email": "me@us.test"}, answer="rejected") == (
        "excluded",
        "internal",
        "",
    )


@pytest.mark.parametrize(
    ("reason", "shown"), [("no budget", "no budget"), (None, "no reason given")]
)
def test_a_rejection_shows_its_reason_or_that_there_is_none(reason, shown):
    assert accounted(answer="rejected", reason=reason) == ("rejected", "sales' answer", shown)


def test_the_likely_cause_of_a_missing_record():
    same_address = {"system": "salesforce", "kind": "lead", "record_id": LEAD, "email": "a@x.test"}
    assert accounted(is_linked=False) == ("missing", "never sent", "")
    assert accounted(is_linked=False, contact={"owner_id": None})[1] == "no owner"
    assert accounted(is_linked=False, contact={"email": None})[1].startswith("no e-mail")
    _, cause, sign = accounted(is_linked=False, others=[same_address])
    assert cause.startswith("duplicate rule")
    assert sign == f"lead {LEAD}"
    _, cause, sign = accounted(is_linked=False, contact={"partner_id": LEAD})
    assert cause.startswith("sync error")
    assert sign == LEAD


def waiting(score: float, record_id: str, **changes) -> dict:
    return {
        "review_id": f"m_{record_id}",
        "left_id": "1",
        "score": score,
        "right_id": record_id,
    } | (changes)


def test_a_person_whose_match_waits_waits_for_review_under_the_likeliest_pair():
    pairs = [waiting(0.4, "R1"), waiting(0.7, "R2")]
    found = accounted(is_linked=False, reviews=pairs)
    assert found == ("waiting for review", "a match in the uncertain band", "lead R2, review m_R2")


def test_a_review_that_ended_or_is_of_one_system_or_of_companies_is_no_reason():
    ended = waiting(0.4, "R1", ended_at="2026-02-01T00:00Z")
    inside = waiting(0.4, "2", right_system="hubspot", right_kind="contact")
    companies = waiting(0.4, "R1", entity="account")
    for other in (ended, inside, companies):
        assert accounted(is_linked=False, reviews=[other])[0] == "missing"


def test_sales_answer_and_a_link_go_before_a_review():
    assert accounted(reviews=[waiting(0.7, "R2")])[0] == "linked"
    assert accounted(is_linked=False, answer="rejected", reviews=[waiting(0.7, "R2")])[0] == (
        "rejected"
    )


@pytest.mark.parametrize("decision", ["reject", "forbid", "accept"])
def test_a_person_who_keeps_two_records_apart_is_the_cause(decision):
    said = {"decision_id": "d_1", "left_id": "1", "right_id": LEAD, "decision": decision}
    _, cause, sign = accounted(is_linked=False, decisions=[said])
    if decision == "accept":
        assert cause == "never sent"
    else:
        assert (cause, sign) == ("a person's decision keeps it apart", f"lead {LEAD}")


def test_the_latest_cycle_s_answer_counts():
    found = bridge(
        builders.mqls(
            {"person_id": "p1", "record_id": "1", "mql_at": MQL_AT},
            {"person_id": "p1", "record_id": "1", "mql_at": "2026-05-02T15:00Z", "cycle": 2},
        ),
        builders.handoffs(
            {"handoff_id": "p1:1", "started_at": MQL_AT, "answer": "rejected"},
            {"handoff_id": "p1:2", "started_at": MQL_AT, "cycle": 2},
        ),
        builders.crosswalk(
            {"entity_id": "p1", "record_id": "1"},
            {"entity_id": "p1", "record_id": LEAD, "system": "salesforce", "kind": "lead"},
        ),
        builders.people({"record_id": "1"}),
        builders.reviews(),
        builders.match_decisions(),
        DEFINITIONS,
    )
    assert found["bridge_class"].tolist() == ["linked"]
    assert found["mql_at"].tolist() == [pd.Timestamp("2026-05-02T15:00Z")]


contacts = st.lists(
    st.fixed_dictionaries(
        {
            "email": st.sampled_from(["a@x.test", "a@us.test", None]),
            "answer": st.sampled_from(["accepted", "rejected", None]),
            "is_linked": st.booleans(),
            "owner_id": st.sampled_from(["7", None]),
            "waits": st.booleans(),
        }
    ),
    max_size=8,
)


@settings(max_examples=12)
@given(contacts)
def test_the_classes_add_up_to_the_mqls(rows):
    numbered = list(enumerate(rows))
    found = bridge(
        builders.mqls(
            *({"person_id": f"p{n}", "record_id": str(n), "mql_at": MQL_AT} for n, _ in numbered)
        ),
        builders.handoffs(
            *(
                {
                    "handoff_id": f"p{n}:1",
                    "person_id": f"p{n}",
                    "started_at": MQL_AT,
                    "answer": row["answer"],
                }
                for n, row in numbered
            )
        ),
        builders.crosswalk(
            *({"entity_id": f"p{n}", "record_id": str(n)} for n, _ in numbered),
            *(
                {"entity_id": f"p{n}", "record_id": f"L{n}", "system": "salesforce", "kind": "lead"}
                for n, row in numbered
                if row["is_linked"]
            ),
        ),
        builders.people(
            *(
                {"record_id": str(n), "email": row["email"], "owner_id": row["owner_id"]}
                for n, row in numbered
            )
        ),
        builders.reviews(
            *(
                {"review_id": f"m_{n}", "left_id": str(n), "right_id": f"R{n}"}
                for n, row in numbered
                if row["waits"]
            )
        ),
        builders.match_decisions(),
        DEFINITIONS,
    )
    assert sorted(found["record_id"]) == sorted(str(n) for n, _ in numbered)
    assert found["bridge_class"].isin(CLASSES).all()
    excluded = [str(n) for n, row in numbered if row["email"] == "a@us.test"]
    assert sorted(found.loc[found["bridge_class"] == "excluded", "record_id"]) == sorted(excluded)
