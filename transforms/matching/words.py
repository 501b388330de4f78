"""Words that matching knows: nicknames, legal forms, public suffixes, free-mail domains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

# Mailboxes that a company answers with several people, as they stand before the @.
# fmt: off
ROLE_MAILBOXES = frozenset({
    "abuse", "account", "accounting", "accounts", "admin", "administration", "ap", "ar",
    "bestellung", "billing", "booking", "bookings", "buchhaltung", "care", "career", "careers",
    "commercial",
    "compras", "contact", "contacto", "contactus", "customercare", "customerservice", "desk",
    "einkauf", "email", "enquiries", "enquiry", "events", "facturacion", "feedback", "finance",
    "frontdesk", "general", "hello", "help", "helpdesk", "hi", "hq", "hr", "info", "information",
    "inquiries", "inquiry", "invoice", "invoices", "it", "jobs", "kontakt", "legal", "mail",
    "mailbox", "management", "marketing", "media", "newsletter", "noreply", "office", "operations",
    "order", "orders", "partner", "partners", "post", "postmaster", "pr", "press", "procurement",
    "purchasing", "reception", "recruiting", "rechnung", "sales", "secretariat", "service",
    "services", "shop", "support", "team", "tech", "ventas", "vertrieb", "webmaster", "welcome",
})
# Names of mailbox providers, under whatever ending; the ones that typing errors are corrected to.
PROVIDERS = frozenset({
    "aol", "comcast", "fastmail", "gmail", "gmx", "googlemail", "hotmail", "icloud", "laposte",
    "libero", "live", "mailru", "msn", "naver", "orange", "outlook", "proton", "protonmail", "qq",
    "rediffmail", "tonline", "tutanota", "uol", "verizon", "wanadoo", "web", "yahoo", "yandex",
    "ymail", "zoho",
})
# fmt: on


@dataclass(frozen=True)
class Words:
    """Lists that were taken from kept libraries at one moment and ship as one file.

    `nicknames` are pairs of names that one person goes by, both ways; `root` gives for a name the
    long form to block by. All are lower-case ASCII.
    """

    nicknames: frozenset[tuple[str, str]]
    root: Mapping[str, str]
    legal_forms: frozenset[str]
    suffixes: frozenset[str]
    free_mail: frozenset[str]
    longest_form: int = field(default=5)

    @classmethod
    def parse(cls, text: str) -> Words:
        """Read the shipped file's text."""
        data = json.loads(text)
        forms = {name: tuple(short) for name, short in data["nicknames"].items()}
        legal = frozenset(data["legal_forms"])
        return cls(
            nicknames=_pairs(forms),
            root=_roots(forms),
            legal_forms=legal,
            suffixes=frozenset(data["suffixes"]),
            free_mail=frozenset(data["free_mail"]),
            longest_form=max((form.count(" ") + 1 for form in legal), default=0),
        )


def _pairs(forms: Mapping[str, tuple[str, ...]]) -> frozenset[tuple[str, str]]:
    """Pair each name with its short forms, and the short forms of one name with each other."""
    pairs: set[tuple[str, str]] = set()
    for name, short in forms.items():
        pairs.update((name, form) for form in short)
        if len(short) <= _MOST_FORMS:
            pairs.update((one, other) for one in short for other in short if one != other)
    return frozenset(pairs | {(other, one) for one, other in pairs})


# A name with more short forms than this is several names; its forms say nothing of each other.
_MOST_FORMS = 30


def _roots(forms: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Give each short form the long form with the most short forms; a tie goes by the alphabet."""
    longer: dict[str, set[str]] = {}
    for name, short in forms.items():
        for form in short:
            longer.setdefault(form, {form}).add(name)
    return {
        form: min(names, key=lambda name: (-len(forms.get(name, ())), name))
        for form, names in longer.items()
    }
