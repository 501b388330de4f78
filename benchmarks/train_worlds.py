"""Worlds that the shipped model is trained on: two CRMs with mistakes drawn anew for each world.

Words come from `mimesis` and from syllables. Every rate (missing fields, typing errors, job
changes, duplicates, ...) is drawn per world, so that a model that is right on the whole of them has
not learned the habits of any one. The benchmark's worlds (`worlds_matching.py`) share no code and
no words with these.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from transforms.matching.words import Words

LOCALES = ("en", "en-gb", "de", "fr", "es", "it", "nl", "pl", "pt-br", "sv", "cs", "tr", "ru", "ja")
_USUAL = np.array([8, 4, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 0.5]) / 34.5
COUNTRIES = {
    "en": ("United States", "US", "1"), "en-gb": ("United Kingdom", "GB", "44"),
    "de": ("Germany", "DE", "49"), "fr": ("France", "FR", "33"), "es": ("Spain", "ES", "34"),
    "it": ("Italy", "IT", "39"), "nl": ("Netherlands", "NL", "31"), "pl": ("Poland", "PL", "48"),
    "pt-br": ("Brazil", "BR", "55"), "sv": ("Sweden", "SE", "46"), "cs": ("Czechia", "CZ", "420"),
    "tr": ("Turkey", "TR", "90"), "ru": ("Russia", "RU", "7"), "ja": ("Japan", "JP", "81"),
}  # fmt: skip
FORMS = {
    "en": ("Inc", "Inc.", "LLC", "Corp.", "Corporation", "Co."), "en-gb": ("Ltd", "Limited", "PLC"),
    "de": ("GmbH", "AG", "GmbH & Co. KG", "KG"), "fr": ("SARL", "SAS", "S.A."),
    "es": ("S.L.", "S.A."),
    "it": ("S.r.l.", "S.p.A."), "nl": ("B.V.", "BV", "N.V."), "pl": ("Sp. z o.o.", "S.A."),
    "pt-br": ("Ltda.", "S.A."), "sv": ("AB",), "cs": ("s.r.o.", "a.s."),
    "tr": ("A.S.", "Ltd. Sti."),
    "ru": ("OOO", "ZAO"), "ja": ("K.K.", "Co., Ltd."),
}  # fmt: skip
FREE = ("gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "gmx.de",
        "web.de", "live.com", "proton.me", "mail.ru", "orange.fr", "libero.it",
        "wp.pl")  # fmt: skip
ROLES = ("info", "sales", "office", "contact", "support", "hello", "admin", "marketing", "team")
TYPO_FREE = (
    "gmial.com",
    "gmai.com",
    "gmail.co",
    "hotmial.com",
    "yaho.com",
    "outlok.com",
    "gmal.com",
)
WORK = ("Systems", "Solutions", "Group", "Partners", "Consulting", "Industries", "Labs", "Energy",
        "Logistics", "Media", "Foods", "Capital", "Health", "Design", "Software", "Engineering",
        "Services", "Technologies", "Holding", "Trading", "Works", "Networks")  # fmt: skip


@dataclass
class Rates:
    """What one world does to its records; every number is a share unless it says otherwise."""

    people: int
    surnames: int
    firsts: int
    company_size: float
    skew: float
    overlap: float
    locales: int
    syllables: float
    both: dict[str, float] = field(default_factory=dict)
    sides: tuple[dict[str, float], dict[str, float]] = field(default_factory=tuple)


# Highest value of each rate on one side; a world draws each between nothing and this.
_MOST = {
    "no_email": 0.35, "no_first": 0.12, "no_last": 0.05, "no_company": 0.4, "no_phone": 0.6,
    "no_mobile": 0.9, "no_title": 0.6, "no_city": 0.6, "no_postcode": 0.8, "no_country": 0.5,
    "no_website": 0.9, "personal": 0.4, "role": 0.08, "old_job": 0.25, "email_typo": 0.08,
    "other_pattern": 0.15, "plus": 0.05, "first_typo": 0.08, "last_typo": 0.08, "nickname": 0.5,
    "initial": 0.12, "swapped": 0.05, "ascii": 0.9, "german": 0.4, "upper": 0.1, "middle": 0.15,
    "form": 0.9, "company_typo": 0.12, "company_short": 0.2, "acronym": 0.06, "switchboard": 0.6,
    "phone_typo": 0.06, "phone_shape": 0.9, "title_other": 0.5, "moved": 0.25, "more": 0.2,
    "no_generation": 0.6, "married": 0.06, "duplicate": 0.15, "typo_free": 0.04,
    "shuffled_phone": 0.5, "sub_domain": 0.03,
}  # fmt: skip
_BOTH = {
    "sibling": 0.05, "generations": 0.03, "namesakes": 0.05, "household": 0.03, "jobless": 0.15,
}  # fmt: skip


def draw(rng: np.random.Generator, people: int | None = None) -> Rates:
    """Draw a world's rates; half of the worlds are tidy, half are not."""
    mess = rng.choice([0.1, 0.25, 0.5, 0.8, 1.0])

    def some(limits: dict[str, float]) -> dict[str, float]:
        return {name: float(most * mess * rng.uniform() ** 1.3) for name, most in limits.items()}

    return Rates(
        people=people or int(np.exp(rng.uniform(np.log(4_000), np.log(60_000)))),
        surnames=int(np.exp(rng.uniform(np.log(80), np.log(15_000)))),
        firsts=int(np.exp(rng.uniform(np.log(60), np.log(3_000)))),
        company_size=float(np.exp(rng.uniform(np.log(3), np.log(40)))),
        skew=float(rng.uniform(0, 1.0)),
        overlap=float(rng.uniform(0.25, 0.85)),
        locales=int(rng.integers(1, len(LOCALES) + 1)),
        syllables=float(rng.choice([0, 0.5, 0.9])),
        both=some(_BOTH),
        sides=(some(_MOST), some(_MOST)),
    )


@cache
def _dataset(locale: str, name: str) -> dict:
    return json.loads(
        files("mimesis").joinpath(f"datasets/{locale}/{name}.json").read_text(encoding="utf-8")
    )


def _flat(values: object) -> list[str]:
    if isinstance(values, dict):
        return [text for part in values.values() for text in _flat(part)]
    return [str(value) for value in values]


_ONSETS = (
    "b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kl", "l", "m", "n",
    "p", "pr", "r", "s", "sch", "st", "t", "tr", "v", "w", "z",
)  # fmt: skip
_NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oo", "ou"]
_CODAS = ["n", "r", "l", "s", "t", "ck", "m", "nd", "rt", "lk", "ss", "x", "ng"]
_ENDS = (
    "er", "man", "son", "sen", "ov", "ova", "ski", "ini", "ez", "berg", "ton", "ley", "wood",
    "ard", "eau", "ic",
)  # fmt: skip


def _syllables(rng: np.random.Generator, ends: Sequence[str]) -> str:
    word = "".join(
        rng.choice(_ONSETS)
        + rng.choice(_NUCLEI)
        + (rng.choice(_CODAS) if rng.uniform() < 0.4 else "")
        for _ in range(rng.integers(1, 3))
    )
    return (word + str(rng.choice(ends))).capitalize()


class World:
    """One world: `hubspot` and `salesforce` tables and, beside them, who each record is."""

    def __init__(self, rates: Rates, rng: np.random.Generator, words: Words) -> None:
        self.rates, self.rng, self.words = rates, rng, words
        self.short = {}
        for one, other in sorted(words.nicknames):
            if words.root.get(other) == one:
                self.short.setdefault(one, []).append(other)
        self.locales = list(rng.choice(LOCALES, rates.locales, replace=False, p=_USUAL))
        self._pools()
        self._companies()
        self._people()

    # Words ---------------------------------------------------------------------------------------

    def _pools(self) -> None:
        rng, rates = self.rng, self.rates
        self.pools = {}
        for locale in self.locales:
            person = _dataset(locale, "person")
            firsts = sorted({n for n in _flat(person["names"]) if len(n) > 1 and " " not in n})
            lasts = sorted({n for n in _flat(person["surnames"]) if len(n) > 1})
            if locale == "en":
                firsts += [name.capitalize() for name in self.short] * 2
            while rng.uniform() < rates.syllables and len(lasts) < rates.surnames / rates.locales:
                lasts += [_syllables(rng, _ENDS) for _ in range(200)]
            rng.shuffle(firsts)
            rng.shuffle(lasts)
            firsts = firsts[: max(20, rates.firsts // rates.locales)]
            lasts = lasts[: max(30, rates.surnames // rates.locales)]
            titles = list(_flat(person.get("occupation") or _dataset("en", "person")["occupation"]))
            rng.shuffle(titles)
            cities = _flat(_dataset(locale, "address")["city"])[:400]
            self.pools[locale] = (firsts, lasts, titles[: int(rng.choice([15, 40, 150]))], cities)

    def pick(self, values: list, skew: float | None = None) -> object:
        """Pick a value; with a skew the earlier ones are the more usual."""
        power = 1 + 2 * (self.rates.skew if skew is None else skew)
        return values[int(len(values) * self.rng.uniform() ** power)]

    def is_so(self, rate: float) -> bool:
        return bool(self.rng.uniform() < rate)

    def _companies(self) -> None:
        rng = self.rng
        count = max(3, int(self.rates.people / self.rates.company_size))
        self.companies = []
        taken = set()
        family = [lasts for _, lasts, _, _ in self.pools.values()]
        for _ in range(count):
            locale = str(rng.choice(self.locales))
            style = rng.integers(4)
            stem = (
                str(self.pick(family[self.locales.index(locale)], 0))
                if style
                else _syllables(rng, [""])
            )
            name = (
                f"{stem} {rng.choice(WORK)}"
                if style < 3
                else f"{stem} & {_syllables(rng, ['a', 'o'])}"
            )
            if style == 2:
                name = f"{_syllables(rng, ['', 'a', 'ix'])} {rng.choice(WORK)} {rng.choice(WORK)}"
            slug = ascii_of(name).replace("&", "").replace(" ", "-" if self.is_so(0.2) else "")
            if self.is_so(0.2):
                slug = ascii_of(name).split(" ")[0] + (
                    str(rng.integers(99)) if self.is_so(0.3) else ""
                )
            end = str(rng.choice(["com", "com", "com", "net", "io", COUNTRIES[locale][1].lower()]))
            domain = f"{slug}.{end}".lower()
            if domain in taken:
                domain = f"{slug}{len(taken)}.{end}".lower()
            taken.add(domain)
            cities = self.pools[locale][3]
            self.companies.append({
                "name": name, "form": str(rng.choice(FORMS[locale])), "domain": domain,
                "locale": locale, "city": str(self.pick(cities, 0.3)),
                "postcode": f"{rng.integers(10000, 99999)}", "board": self._number(locale),
                "pattern": int(rng.choice([0, 0, 0, 1, 1, 2, 3, 4, 5])),
            })  # fmt: skip

    def _number(self, locale: str) -> str:
        return f"+{COUNTRIES[locale][2]}{self.rng.integers(2, 9)}{self.rng.integers(10**7, 10**8)}"

    # People --------------------------------------------------------------------------------------

    def _people(self) -> None:
        rng, both = self.rng, self.rates.both
        self.people, self.used = [], set()
        while len(self.people) < self.rates.people:
            company = self.pick(self.companies, 0.5)
            person = self._person(company)
            self.people.append(person)
            if self.is_so(both["generations"]):
                person["generation"] = "Sr"
                self.people.append(self._kin(person, "Jr"))
            elif self.is_so(both["sibling"]):
                self.people.append(self._kin(person, None))
            elif self.is_so(both["namesakes"]):
                other = self._person(company if self.is_so(0.4) else self.pick(self.companies, 0.5))
                other["first"], other["last"] = person["first"], person["last"]
                other["email"] = self._address(other)
                self.people.append(other)
            elif self.is_so(both["household"]):
                other = self._person(self.pick(self.companies, 0.5))
                other["last"], other["personal"] = person["last"], person["personal"]
                other["email"] = self._address(other)
                self.people.append(other)
        rng.shuffle(self.people)

    def _person(self, company: dict) -> dict:
        rng = self.rng
        locale = company["locale"] if self.is_so(0.85) else str(rng.choice(self.locales))
        firsts, lasts, titles, _ = self.pools[locale]
        last = str(self.pick(lasts))
        if self.is_so(0.03):
            last = f"{last}{'-' if self.is_so(0.6) else ' '}{self.pick(lasts)}"
        person = {
            "first": str(self.pick(firsts)), "last": last, "company": company, "locale": locale,
            "mobile": self._number(locale), "direct": self._number(company["locale"]),
            "title": str(self.pick(titles, 0.3)), "generation": "",
            "old": self.pick(self.companies, 0.5),
            "jobless": self.is_so(self.rates.both["jobless"]),
        }  # fmt: skip
        person["email"] = self._address(person)
        person["old_email"] = self._address({**person, "company": person["old"]})
        person["personal"] = self._personal(person)
        return person

    def _kin(self, person: dict, generation: str | None) -> dict:
        other = dict(person)
        if generation:
            other["generation"] = generation
            other["email"] = person["email"] if self.is_so(0.5) else self._address(other)
        else:
            other["first"] = (
                person["first"]
                if self.is_so(0.8)
                else str(self.pick(self.pools[person["locale"]][0]))
            )
            other["email"] = self._address(other)
        other["mobile"], other["title"] = (
            self._number(other["locale"]),
            str(self.pick(self.pools[person["locale"]][2], 0.3)),
        )
        if self.is_so(0.7):
            other["direct"] = self._number(other["locale"])
        other["personal"] = self._personal(other)
        return other

    def _address(self, person: dict, pattern: int | None = None) -> str:
        company = person["company"]
        given, family = slug_of(person["first"]), slug_of(person["last"])
        chosen = company["pattern"] if pattern is None else pattern
        local = [
            f"{given}.{family}", f"{given[:1]}{family}", given, f"{given}{family}",
            f"{given[:1]}.{family}", f"{family}.{given}", f"{given}_{family}",
            f"{family}{given[:1]}",
        ][chosen] or "x"  # fmt: skip
        address = f"{local}@{company['domain']}"
        number = 2
        while address in self.used:
            address = f"{local}{number}@{company['domain']}"
            number += 1
        self.used.add(address)
        return address

    def _personal(self, person: dict) -> str:
        rng = self.rng
        given, family = slug_of(person["first"]), slug_of(person["last"])
        number = str(rng.choice(["", "", str(rng.integers(1, 99)), str(rng.integers(1950, 2005))]))
        local = [f"{given}.{family}{number}", f"{given}{family}{number}",
                 f"{given[:1]}{family}{number}",
                 f"{family}{number}", f"{given}{number}{rng.integers(99)}",
                 f"{_syllables(rng, ['']).lower()}{rng.integers(999)}",
                 ][rng.integers(6)]  # fmt: skip
        address = f"{local}@{self.pick(list(FREE), 0.4)}"
        while address in self.used:
            address = f"{local}{rng.integers(9999)}@{self.pick(list(FREE), 0.4)}"
        self.used.add(address)
        return address

    # Records -------------------------------------------------------------------------------------

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give both systems' tables with a column `person`, the truth, that no matcher may see."""
        only = (1 - self.rates.overlap) / 2
        rows: tuple[list, list] = ([], [])
        for number, person in enumerate(self.people):
            draw_ = self.rng.uniform()
            for side in (0, 1):
                if (side == 0 and draw_ < only) or (side == 1 and draw_ > 1 - only):
                    continue
                rates = self.rates.sides[side]
                rows[side].append({**self._record(person, rates), "person": number})
                while self.is_so(rates["duplicate"]):
                    rows[side].append({**self._record(person, rates), "person": number})
        frames = []
        for side, prefix in ((0, "h"), (1, "s")):
            frame = pd.DataFrame(rows[side])
            frame["record_id"] = [f"{prefix}{n}" for n in self.rng.permutation(len(frame))]
            frames.append(frame.astype({c: "str" for c in frame.columns if c != "person"}))
        return frames[0], frames[1]

    def _record(self, person: dict, rates: dict) -> dict:
        so = lambda name: self.is_so(rates[name])  # noqa: E731
        is_old = so("old_job")
        company = person["old"] if is_old else person["company"]
        first, last = person["first"], person["last"]
        if so("married"):
            last = str(self.pick(self.pools[person["locale"]][1]))
        if so("nickname") and first.lower() in self.short:
            first = str(self.rng.choice(self.short[first.lower()])).capitalize()
        email = person["old_email"] if is_old else person["email"]
        if so("other_pattern"):
            email = self._address({**person, "company": company}, int(self.rng.integers(8)))
        if person["jobless"] or so("personal"):
            email = person["personal"]
            if so("typo_free"):
                email = email.split("@")[0] + "@" + str(self.rng.choice(TYPO_FREE))
        if so("role") and not person["jobless"]:
            email = f"{self.rng.choice(ROLES)}@{company['domain']}"
        if so("sub_domain"):
            email = email.replace("@", "@mail.")
        if so("email_typo"):
            local, domain = email.split("@")
            email = (
                f"{self._typo(local)}@{domain}"
                if self.is_so(0.7)
                else f"{local}@{self._typo(domain)}"
            )
        if so("plus"):
            email = email.replace("@", "+news@")
        more = person["personal"] if email != person["personal"] else person["email"]
        name = "" if person["jobless"] else self._company_name(company, rates)
        moved = so("moved")
        city = str(self.pick(self.pools[company["locale"]][3], 0.3)) if moved else company["city"]
        postcode = str(self.rng.integers(10000, 99999)) if moved else company["postcode"]
        country = COUNTRIES[company["locale"]][int(so("shuffled_phone"))]
        phone = (
            company["board"] if so("switchboard") and not person["jobless"] else person["direct"]
        )
        mobile = person["mobile"]
        if so("shuffled_phone") and self.is_so(0.3):
            phone, mobile = mobile, phone
        record = {
            "email": "" if so("no_email") else (email.upper() if so("upper") else email),
            "other_emails": more if so("more") else "",
            "first_name": "" if so("no_first") else self._given(first, rates),
            "last_name": "" if so("no_last") else self._family(last, person["generation"], rates),
            "company": "" if so("no_company") else name,
            "phone": "" if so("no_phone") else self._shape(phone, rates),
            "mobile": "" if so("no_mobile") else self._shape(mobile, rates),
            "website": ""
            if so("no_website") or person["jobless"]
            else f"https://www.{company['domain']}",
            "title": "" if so("no_title") else self._title(person, rates),
            "city": "" if so("no_city") else city,
            "postcode": "" if so("no_postcode") else postcode,
            "country": "" if so("no_country") else country,
        }
        if so("swapped"):
            record["first_name"], record["last_name"] = record["last_name"], record["first_name"]
        return record

    def _given(self, first: str, rates: dict) -> str:
        if self.is_so(rates["first_typo"]):
            first = self._typo(first)
        if self.is_so(rates["initial"]):
            return first[:1] + ("." if self.is_so(0.5) else "")
        if self.is_so(rates["middle"]):
            first = f"{first} {self.rng.choice(list('ABCDEFGHJKLMPRST'))}."
        return self._spelling(first, rates)

    def _family(self, last: str, generation: str, rates: dict) -> str:
        if self.is_so(rates["last_typo"]):
            last = self._typo(last)
        if generation and not self.is_so(rates["no_generation"]):
            last = f"{last} {generation}"
        return self._spelling(last, rates)

    def _spelling(self, name: str, rates: dict) -> str:
        if self.is_so(rates["german"]):
            for letter, pair in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
                name = name.replace(letter, pair)
        if self.is_so(rates["ascii"]):
            name = ascii_of(name)
        return name.upper() if self.is_so(rates["upper"]) else name

    def _company_name(self, company: dict, rates: dict) -> str:
        name = company["name"]
        if self.is_so(rates["company_typo"]):
            name = self._typo(name)
        if self.is_so(rates["acronym"]):
            name = "".join(word[0] for word in name.split() if word[0].isalpha())
        elif self.is_so(rates["company_short"]):
            name = " ".join(name.split()[:-1]) or name
        if self.is_so(rates["form"]):
            name = f"{name} {company['form']}"
        return name

    def _title(self, person: dict, rates: dict) -> str:
        if self.is_so(rates["title_other"]):
            return str(self.pick(self.pools[person["locale"]][2], 0.3))
        return (
            f"Senior {person['title']}" if self.is_so(rates["title_other"] / 3) else person["title"]
        )

    def _shape(self, number: str, rates: dict) -> str:
        if self.is_so(rates["phone_typo"]):
            at = int(self.rng.integers(len(number) - 5, len(number)))
            number = number[:at] + str(self.rng.integers(10)) + number[at + 1 :]
        if not self.is_so(rates["phone_shape"]):
            return number
        local = number[-9:]
        code = number[:-9]
        return [
            f"{code} {local[:3]} {local[3:6]} {local[6:]}", f"0{local}",
            f"({local[:3]}) {local[3:6]}-{local[6:]}",
            f"{code.replace('+', '00')}{local}", f"{local[:3]}.{local[3:6]}.{local[6:]}",
            f"{code} (0){local}",
        ][int(self.rng.integers(6))]  # fmt: skip

    def _typo(self, word: str) -> str:
        if len(word) < 3:
            return word
        at = int(self.rng.integers(1, len(word)))
        letter = str(self.rng.choice(list("abcdefghijklmnopqrstuvwxyz")))
        kind = self.rng.integers(4)
        if kind == 0:
            return word[:at] + word[at + 1 :]
        if kind == 1:
            return word[:at] + letter + word[at:]
        if kind == 2:
            return word[:at] + letter + word[at + 1 :]
        return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]


def ascii_of(name: str) -> str:
    from anyascii import anyascii

    return anyascii(name)


@cache
def slug_of(name: str) -> str:
    return "".join(letter for letter in ascii_of(name).lower() if letter.isalnum())


def world(
    seed: int, words: Words, people: int | None = None, duplicate: float | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, Rates]:
    """Make the world of a seed; a number of people or a rate of duplicates may be set."""
    rng = np.random.default_rng(seed)
    rates = draw(rng, people)
    if duplicate is not None:
        for side in rates.sides:
            side["duplicate"] = duplicate
    hubspot, salesforce = World(rates, rng, words).tables()
    return hubspot, salesforce, rates
