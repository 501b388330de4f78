"""The page of what waits for a person."""

import csv
import re

import pytest

from connectors.review_page import render_review, write_review_page

FIELDS = [
    {"field": "email", "left": "a***(3)@x.test", "right": None, "level": "missing", "weight": None},
    {"field": "last", "left": "L***(3)", "right": "L***(3)", "level": "equal", "weight": 3.0},
    {"field": "title", "left": "B***(5)", "right": "C***(3)", "level": "different", "weight": -1.5},
    {"field": "start", "left": None, "right": None, "level": "before any comparison",
     "weight": -2.5},
]  # fmt: skip


def match(number=1, **changes):
    return {
        "id": f"m_{number}", "entity": "person", "left": f"hubspot/contact/{number}",
        "right": f"salesforce/lead/00Q{number}", "score": 0.62, "rule": "company and name",
        "evidence": "last equal", "contradicts": False, "found_at": "2026-11-02T04:00:00+00:00",
        "amount_minor": 1234500, "handoff_count": 1, "link_bits": 5.0, "fields": FIELDS,
        "is_accepted": False, "linked": [],
    } | changes  # fmt: skip


CONFLICT = {
    "id": "cf-1", "entity": "person", "field": "phone", "hubspot": "hubspot/contact/7",
    "salesforce": "salesforce/lead/00Q7", "hubspot_value": None, "salesforce_value": "+***(12)",
    "how": "both changed", "amount_minor": 0, "handoff_count": 0,
}  # fmt: skip


def view(*matches, conflicts=()):
    return {
        "match_count": len(matches), "conflict_count": len(conflicts), "matches": list(matches),
        "conflicts": list(conflicts), "currency": "USD", "review_bits": -1.0,
    }  # fmt: skip


def bars_of(page):
    """Give each bar's sort, left end and width, from top to bottom."""
    found = re.findall(r'<rect class="bar-(\w+)" x="([\d.-]+)" y="\d+" width="([\d.]+)"', page)
    return [(sort, float(x), float(width)) for sort, x, width in found]


def test_both_records_stand_side_by_side_with_what_is_at_stake():
    page = render_review(view(match()))
    assert "12,345.00 USD at stake, 1 open handoffs" in page
    assert "right in 62 of 100 such pairs" in page
    row = re.search(r"<tr><th scope=\"row\">last</th>.*?</tr>", page)[0]
    assert re.findall(r">([^<]+)<", row) == [
        "last", "L***(3)", "L***(3)", "equal", "+3.0"
    ]  # fmt: skip


def test_the_chart_walks_from_the_start_to_the_sum():
    drawn = bars_of(render_review(view(match())))
    sorts = [sort for sort, _, _ in drawn]
    assert sorts == ["against", "for", "against", "sum"]
    (_, start, start_width), (_, last, last_width), (_, title, title_width), total = drawn
    assert last == pytest.approx(start, abs=0.2)
    assert title + title_width == pytest.approx(last + last_width, abs=0.2)
    # Weights -2.5, +3 and -1.5 in bits make -1 together, to the left of nothing.
    assert total[1] == pytest.approx(title, abs=0.2)
    assert total[1] + total[2] == pytest.approx(start + start_width, abs=0.2)
    assert title_width / last_width == pytest.approx(0.5, abs=0.01)


def test_the_thresholds_stand_where_their_bits_are():
    page = render_review(view(match()))
    zero, review, link = (
        float(re.search(rf'<line class="{name}" x1="([\d.-]+)"', page)[1])
        for name in ("zero", "review", "link")
    )
    assert (zero - review) * 5 == pytest.approx(link - zero, abs=0.6)


def test_a_pair_that_no_sum_links_says_so_and_has_no_threshold_of_links():
    page = render_review(view(match(link_bits=None)))
    assert 'class="review"' in page
    assert 'class="link"' not in page
    assert "never linked unasked" in page


def test_a_pair_that_no_model_compared_has_words_and_no_chart():
    page = render_review(view(match(fields=[], evidence="contradicts a stronger link",
                                    contradicts=True)))  # fmt: skip
    assert "<svg" not in page
    assert "<p>contradicts a stronger link</p>" in page
    assert "of 100 such pairs" not in page


def test_no_share_is_claimed_of_pairs_that_nobody_has_measured():
    page = render_review(view(match(entity="account", fields=[])))
    assert "nobody has measured such pairs" in page
    assert "of 100 such pairs" not in page


def test_an_answer_that_a_stronger_link_withstands_is_told_with_that_link():
    link = {"record": "salesforce/lead/00Q1", "with": ["hubspot/contact/8"], "rule": "stored id"}
    page = render_review(view(match(is_accepted=True, contradicts=True, linked=[link])))
    assert "accepted, but a stronger link stands: pin or forbid it" in page
    assert "salesforce/lead/00Q1 is one with hubspot/contact/8 (stored id)" in page


def test_conflicts_show_both_values_and_a_blank_one_as_a_dash():
    page = render_review(view(conflicts=[CONFLICT]))
    assert "No match waits." in page
    row = re.search(r"<tr><td><code>cf-1.*?</tr>", page)[0]
    assert ">-</td>" in row
    assert "+***(12)" in row


def test_nothing_is_loaded_from_anywhere_and_values_are_escaped():
    page = render_review(view(match(rule="<script>alert(1)</script>")))
    assert "<script" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)


def test_the_file_of_decisions_has_every_row_and_is_not_written_over(tmp_path):
    folder = tmp_path / "new"
    assert write_review_page(view(match(1), match(2), conflicts=[CONFLICT]), folder).exists()
    path = folder / "decisions.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8", newline="")))
    assert [(row["id"], row["decision"], row["left"]) for row in rows] == [
        ("m_1", "", "hubspot/contact/1"),
        ("m_2", "", "hubspot/contact/2"),
        ("cf-1", "", "hubspot/contact/7"),
    ]
    path.write_text("begun", encoding="utf-8")
    write_review_page(view(match(3)), folder)
    assert path.read_text(encoding="utf-8") == "begun"
