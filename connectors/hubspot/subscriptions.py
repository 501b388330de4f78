"""Opting out of all marketing e-mail: HubSpot keeps it beside the record, not in a property.

`hs_email_optout` can be read like any property and written by nobody; the preferences of the
contact's address can. One request per contact: the batch of these needs Marketing Hub Enterprise.
https://developers.hubspot.com/docs/api-reference/communication-preferences-subscriptions-v4
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from agreement.errors import NotGranted, VendorRejected
from agreement.records import Change, Outcome, Record
from connectors.hubspot.answers import reason
from connectors.hubspot.client import Client
from connectors.hubspot.paths import Paths

OPT_OUT = "hs_email_optout"
SCOPE = "communication_preferences.read_write"

_CHANNEL = (("channel", "EMAIL"),)

# Of a domain that nobody can have: only whether the question is allowed counts.
_NOBODY = "nobody@tandem.invalid"

ReadEmails = Callable[[Sequence[str]], Iterator[Record]]
SendRest = Callable[[Sequence[Change]], Iterator[Sequence[Outcome]]]


def may_unsubscribe(client: Client, paths: Paths) -> bool:
    """Tell whether this token may change preferences, and this portal has them. One request."""
    try:
        client.get(paths.of("preference", _NOBODY), _CHANNEL, what="preferences")
    except (NotGranted, VendorRejected):
        return False
    return True


def update_with_opt_outs(
    client: Client,
    paths: Paths,
    changes: Sequence[Change],
    read_emails: ReadEmails,
    send_rest: SendRest,
) -> Iterator[Sequence[Outcome]]:
    """Unsubscribe those that are to be, and set what else the changes hold.

    One outcome per change. The opt-out comes first: no fault in another field may hold it back.

    Args:
        client: the road to HubSpot.
        paths: where the preferences are.
        changes: contacts; an opt-out among the values is `true`.
        read_emails: reads `email` of contacts by id.
        send_rest: sends changes of properties.
    """
    wanted = [change.record_id for change in changes if OPT_OUT in change.values]
    emails = {record.record_id: record.values.get("email") for record in read_emails(wanted)}
    done = {record_id: _opt_out(client, paths, record_id, emails) for record_id in wanted}
    rest = []
    for change in changes:
        outcome = done.get(change.record_id)
        others = {name: value for name, value in change.values.items() if name != OPT_OUT}
        if outcome is not None and (not outcome.is_accepted or not others):
            yield [outcome]
        else:
            rest.append(replace(change, values=others))
    for outcomes in send_rest(rest) if rest else ():
        yield [_joined(each, done.get(each.record_id)) for each in outcomes]


def _opt_out(
    client: Client, paths: Paths, record_id: str, emails: dict[str, str | None]
) -> Outcome:
    if record_id not in emails:
        return Outcome(record_id, False, "OBJECT_NOT_FOUND")
    email = emails[record_id]
    if not email:
        return Outcome(record_id, False, "the contact has no e-mail address to opt out")
    try:
        told = client.post(
            paths.of("preference", email), {}, _CHANNEL, what=f"the opt-out of contact {record_id}"
        )
    except VendorRejected as error:
        return Outcome(record_id, False, error.reason)
    if told.get("errors"):
        return Outcome(record_id, False, reason(told["errors"][0]))
    return Outcome(record_id, True, values={OPT_OUT: "true"})


def _joined(outcome: Outcome, opt_out: Outcome | None) -> Outcome:
    if opt_out is None or not outcome.is_accepted:
        return outcome
    return replace(outcome, values={**outcome.values, **opt_out.values})
