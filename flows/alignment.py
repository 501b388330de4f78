"""Where the relationship of both teams stands: their answers beside the evidence, by quarter."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from agreement.assessment import load_assessment
from connectors.store.runs import RunRow
from flows.measure import Measures
from flows.reading import Reading
from transforms.alignment import Alignment, Check, Kept, alignment, evidence
from transforms.horizons import Horizon, horizons, quarters

_PPM = 1_000_000
Totals = Mapping[str, Mapping[str, int]]


def alignment_view(reading: Reading, measures: Measures) -> dict[str, Any]:
    """Give the stage of this quarter with every check, and the history of it and the three before.

    Evidence is measured anew for each quarter from what is known now, under the agreement in force;
    what only a night can tell is the last good one's of the quarter. An earlier quarter without a
    good night is left out. Answers stand until newer ones; `answers_of` names their quarter. Shares
    are parts per million, None where there was nothing to measure.

    Raises:
        BadInput: the file that TANDEM_ASSESSMENT names cannot be read.
    """
    calendar = reading.agreement.calendar
    path = reading.settings.tandem_assessment
    totals = load_assessment(path).totals() if path else {}
    *earlier, current = quarters(horizons(reading.as_of, calendar)[1], calendar)
    history = []
    for span in earlier:
        moment = _end_of(span, reading)
        night = reading.store.good_night_until(moment)
        if night and span.first <= _day(night.as_of, reading):
            history.append(_row(span, _stage(reading, measures, span, night, moment, totals)))
    night = reading.store.good_night_until(reading.as_of)
    found = _stage(reading, measures, current, night, reading.as_of, totals)
    return {
        **_row(current, found),
        "answers_of": _answered(totals, current),
        "checks": [_check(check) for check in found.checks],
        "next_step": found.next_step,
        "history": [*history, _row(current, found)],
    }


def _stage(
    reading: Reading,
    measures: Measures,
    span: Horizon,
    night: RunRow | None,
    moment: datetime,
    totals: Totals,
) -> Alignment:
    agreement = reading.agreement
    found = evidence(
        measures.bridge,
        measures.status,
        measures.clock_page.promises,
        _kept(reading, night, moment),
        span,
        agreement.calendar,
    )
    answered = _answered(totals, span)
    return alignment(totals[answered] if answered else {}, found, agreement.alignment)


def _kept(reading: Reading, night: RunRow | None, moment: datetime) -> Kept:
    """Read what a night found, and which periods were closed by then.

    As of now, the night has to have gone by the agreement that is in force now.
    """
    summary = (night.summary if night else None) or {}
    check = summary.get("self_check") or {}
    content = reading.store.kept_agreements().get(night.agreement_version, {}) if night else {}
    effective = str(content.get("effective", date.max.isoformat()))
    is_by_name = moment < reading.as_of or (
        night is not None and night.agreement_version == reading.agreement.name
    )
    closed = {
        act.period for act in reading.store.acts() if act.act == "closed" and act.done_at <= moment
    }
    return Kept(
        is_in_force=is_by_name and effective <= _day(moment, reading).isoformat(),
        same_share=Fraction(check["agreed"], check["fields"]) if check.get("fields") else None,
        is_tied_out="booked_minor" in summary
        and summary["booked_minor"] == summary["credited_minor"],
        shared_periods=len(closed),
    )


def _answered(totals: Totals, span: Horizon) -> str | None:
    """Name the latest quarter up to a span's that has answers; names sort as they follow."""
    return max((period for period in totals if period <= span.name), default=None)


def _row(span: Horizon, found: Alignment) -> dict[str, Any]:
    return {
        "quarter": span.name,
        "stage": found.stage,
        "opinion": found.opinion,
        "evidence": found.evidence,
        "totals": dict(found.totals),
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "stage": check.stage,
        "what": check.what,
        "value_ppm": None if check.value is None else int(check.value * _PPM),
        "least_ppm": int(check.least * _PPM),
        "is_met": check.is_met,
        "step": check.step,
    }


def _day(moment: datetime, reading: Reading) -> date:
    return moment.astimezone(reading.agreement.calendar.zone_info).date()


def _end_of(span: Horizon, reading: Reading) -> datetime:
    """Give the last instant of a span, in the agreement's zone."""
    after = datetime.combine(span.last + timedelta(days=1), time())
    return after.replace(tzinfo=reading.agreement.calendar.zone_info) - timedelta(microseconds=1)
