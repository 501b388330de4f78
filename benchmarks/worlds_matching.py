"""Worlds that matching is measured on: two CRMs of the same people, `easy` or `hard`.

Made whole columns at a time, up to millions of records, from `faker`'s word lists. Nothing here is
shared with the worlds the model is trained on (`train_worlds.py`): no words, no code, no rates.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rng = np.random.Generator
Texts = NDArray[np.object_]
# Draws which records something happens to, at a share; gives a field of the job now or then.
Share = Callable[[float], NDArray[np.bool_]]
Field = Callable[[str], Texts]


@dataclass(frozen=True)
class View:
    """What one system's copy of a person looks like: shares of records, unless said otherwise."""

    kept: float
    twice: float
    no_email: float
    private: float
    old_job: float
    role: float
    mistyped_email: float
    free_typo: float
    short_name: float
    initial: float
    mistyped_name: float
    no_first: float
    swapped: float
    no_accents: float
    married: float
    no_company: float
    bare_company: float
    mistyped_company: float
    first_word: float
    phone: float
    switchboard: float
    mobile: float
    title: float
    other_title: float
    city: float
    other_city: float
    postcode: float
    country: float
    website: float
    second_email: float


EASY = (
    View(0.80, 0.03, 0.04, 0.04, 0.03, 0.005, 0.01, 0.10, 0.08, 0.01, 0.01, 0.01, 0.004, 0.3, 0.01,
         0.06, 0.5, 0.02, 0.03, 0.7, 0.25, 0.5, 0.7, 0.1, 0.8, 0.04, 0.6, 0.8, 0.5, 0.03),
    View(0.78, 0.04, 0.05, 0.03, 0.04, 0.005, 0.01, 0.10, 0.06, 0.02, 0.01, 0.01, 0.004, 0.5, 0.01,
         0.02, 0.3, 0.02, 0.03, 0.8, 0.3, 0.4, 0.75, 0.1, 0.8, 0.05, 0.6, 0.85, 0.4, 0.0),
)  # fmt: skip
HARD = (
    View(0.72, 0.06, 0.22, 0.26, 0.10, 0.02, 0.02, 0.15, 0.20, 0.05, 0.03, 0.05, 0.02, 0.4, 0.02,
         0.25, 0.5, 0.05, 0.10, 0.40, 0.40, 0.25, 0.45, 0.25, 0.45, 0.15, 0.25, 0.5, 0.2, 0.05),
    View(0.70, 0.07, 0.20, 0.10, 0.14, 0.03, 0.03, 0.15, 0.15, 0.06, 0.03, 0.03, 0.02, 0.6, 0.02,
         0.08, 0.4, 0.05, 0.10, 0.55, 0.50, 0.20, 0.55, 0.25, 0.55, 0.15, 0.35, 0.6, 0.2, 0.0),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What a world is like: both views, and the people behind them.

    `per_company` are people, `skew` how far usual given and family names lead the others. `alike`
    is how many times the usual share of namesakes, relatives, fathers and sons there is,
    `household` the share of people whose private address is a colleague's of the same family name.
    """

    views: tuple[View, View]
    per_company: int = 12
    skew: tuple[float, float] = (0.6, 0.8)
    locales: tuple[str, ...] = ()
    alike: float = 1
    household: float = 0


def _with(views: tuple[View, View], **shares: float) -> tuple[View, View]:
    one, other = (replace(view, **shares) for view in views)
    return one, other


PROFILES = {"easy": Setting(EASY), "hard": Setting(HARD)}
# Each moves one habit far from what the profiles have.
VARIANTS = {
    "easy, small firms": Setting(EASY, per_company=3),
    "easy, large firms": Setting(EASY, per_company=150),
    "easy, few names": Setting(EASY, skew=(1.1, 1.2), locales=("da_DK", "pl_PL")),
    "easy, families": Setting(EASY, alike=6, household=0.05),
    "easy, many duplicates": Setting(_with(EASY, twice=0.3)),
    "hard, large firms": Setting(HARD, per_company=150),
    "hard, few names": Setting(HARD, skew=(1.1, 1.2), locales=("da_DK", "pl_PL")),
    "hard, families": Setting(HARD, alike=6, household=0.05),
    "hard, many duplicates": Setting(_with(HARD, twice=0.3)),
    "hard, role mailboxes": Setting(_with(HARD, role=0.2)),
    "hard, private mail": Setting(_with(HARD, private=0.6)),
    "hard, switchboards": Setting(_with(HARD, phone=0.9, switchboard=0.95, mobile=0.05)),
    "hard, gaps": Setting(_with(HARD, no_email=0.45, no_company=0.45, no_first=0.12, title=0.2)),
    "hard, slips": Setting(_with(HARD, mistyped_email=0.1, mistyped_name=0.1, swapped=0.05)),
    "hard, job changes": Setting(_with(HARD, old_job=0.35, other_title=0.6, other_city=0.4)),
    "hard, few in both": Setting(_with(HARD, kept=0.25)),
}

_LOCALES = {
    "en_US": (5, "Inc", "1", "United States"), "en_GB": (2, "Ltd", "44", "United Kingdom"),
    "de_DE": (2, "GmbH", "49", "Germany"), "fr_FR": (1.5, "SAS", "33", "France"),
    "es_ES": (1, "S.L.", "34", "Spain"), "it_IT": (1, "S.r.l.", "39", "Italy"),
    "nl_NL": (1, "B.V.", "31", "Netherlands"), "pl_PL": (1, "Sp. z o.o.", "48", "Poland"),
    "da_DK": (0.7, "ApS", "45", "Denmark"), "fi_FI": (0.7, "Oy", "358", "Finland"),
}  # fmt: skip
_FREE = ("gmail.com", "gmail.com", "gmail.com", "hotmail.com", "yahoo.com", "outlook.com",
         "icloud.com", "me.com", "gmx.net", "aol.com", "msn.com", "web.de", "free.fr",
         "o2.pl")  # fmt: skip
_FREE_TYPOS = ("gmial.com", "gmaill.com", "hotmal.com", "yahooo.com", "outllook.com", "gnail.com")
_ROLES = ("info", "contact", "office", "sales", "purchasing", "accounts", "hello", "service")
_SHORT = {
    "Alexander": "Alex", "Andrew": "Andy", "Anthony": "Tony", "Benjamin": "Ben",
    "Charles": "Charlie", "Christina": "Tina", "Christopher": "Chris", "Daniel": "Dan",
    "David": "Dave", "Deborah": "Debbie", "Donald": "Don", "Edward": "Ted", "Elizabeth": "Liz",
    "Gregory": "Greg", "James": "Jim", "Jennifer": "Jen", "Jessica": "Jess", "Joseph": "Joe",
    "Joshua": "Josh", "Katherine": "Kate", "Kenneth": "Ken", "Kimberly": "Kim",
    "Lawrence": "Larry", "Margaret": "Peggy", "Matthew": "Matt", "Michael": "Mike",
    "Nicholas": "Nick", "Patricia": "Pat", "Rebecca": "Becky", "Richard": "Dick",
    "Robert": "Bob", "Ronald": "Ron", "Samantha": "Sam", "Samuel": "Sam", "Stephen": "Steve",
    "Steven": "Steve", "Susan": "Sue", "Theresa": "Terry", "Thomas": "Tom", "Timothy": "Tim",
    "Victoria": "Vicky", "William": "Bill", "Zachary": "Zach",
}  # fmt: skip
_TRADES = ("Analytics", "Automotive", "Bank", "Biotech", "Builders", "Chemicals", "Cloud", "Data",
           "Electric", "Finance", "Freight", "Insurance", "Marine", "Optics", "Packaging", "Paper",
           "Pharma", "Plastics", "Power", "Retail", "Robotics", "Security", "Steel", "Studio",
           "Telecom", "Textiles", "Tools", "Transport", "Travel", "Ventures")  # fmt: skip


def world(
    profile: str, people: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """Make both systems' tables in matching's columns, and per row the person it is of."""
    setting = (PROFILES | VARIANTS)[profile]
    rng = np.random.default_rng(seed)
    cast = _cast(people, setting, rng)
    sides = [
        _side(cast, view, rng, prefix) for view, prefix in zip(setting.views, "HS", strict=True)
    ]
    (hubspot, hubspot_person), (salesforce, salesforce_person) = sides
    return hubspot, salesforce, hubspot_person, salesforce_person


# The truth ---------------------------------------------------------------------------------------


def _words(locale: str) -> tuple[list[str], list[str], list[str]]:
    person = importlib.import_module(f"faker.providers.person.{locale}").Provider
    address = importlib.import_module(f"faker.providers.address.{locale}").Provider
    firsts = _names(person, "first_names_male") + _names(person, "first_names_female")
    firsts = firsts or _names(person, "first_names")
    lasts = _names(person, "last_names")
    cities = _names(address, "cities") or [
        f"{name}{end}" for name in lasts[:60] for end in ("ton", "ville", "burg", "field")
    ]
    return firsts, lasts, cities


def _names(provider: type, attribute: str) -> list[str]:
    names = getattr(provider, attribute, ())
    # Some lists were made from sets: their order, too, would change from run to run.
    return sorted({str(name) for name in names})


def _cast(people: int, setting: Setting, rng: Rng) -> pd.DataFrame:
    names = list(setting.locales or _LOCALES)
    companies = _companies(max(people // setting.per_company, 4), names, rng)
    size = rng.lognormal(0, 1.1, len(companies))
    employer = rng.choice(len(companies), people, p=size / size.sum())
    former = rng.choice(len(companies), people, p=size / size.sum())
    locale = companies["locale"].to_numpy()[employer]
    abroad = rng.random(people) < 0.1
    locale = np.where(abroad, rng.choice(names, people), locale)
    first, last = np.empty(people, dtype=object), np.empty(people, dtype=object)
    for name in names:
        rows = np.flatnonzero(locale == name)
        firsts, lasts, _ = _words(name)
        first[rows] = _usual(firsts, len(rows), rng, setting.skew[0])
        last[rows] = _usual(lasts, len(rows), rng, setting.skew[1])
    generation = np.full(people, "", dtype=object)
    _repeat_names(first, last, employer, generation, setting.alike, rng)
    shares = np.flatnonzero(rng.random(people - 1) < setting.household if setting.household else [])
    last[shares] = last[shares + 1]
    cast = pd.DataFrame(
        {"first": first, "last": last, "generation": generation, "locale": locale,
         "employer": employer, "former": former}
    )  # fmt: skip
    for when in ("employer", "former"):
        at = companies.iloc[cast[when].to_numpy()]
        for field in ("company", "form", "domain", "board", "city", "postcode", "country"):
            cast[f"{field}_{when}"] = at[field].to_numpy()
        cast[f"email_{when}"] = _work_addresses(first, last, at)
    code = np.array([_LOCALES[name][2] for name in names], dtype=object)
    code = code[pd.Index(names).get_indexer(locale)]
    cast["mobile"] = _numbers(code, people, rng)
    cast["direct"] = _numbers(code, people, rng)
    cast["private"] = _private(first, last, rng)
    cast.loc[shares, "private"] = cast["private"].to_numpy()[shares + 1]
    jobs = importlib.import_module("faker.providers.job").Provider.jobs
    cast["title"] = _usual(list(jobs)[:240], people, rng, 0.5)
    cast["other_title"] = _usual(list(jobs)[:240], people, rng, 0.5)
    return cast


def _usual(words: Sequence[str], count: int, rng: Rng, skew: float) -> Texts:
    """Draw words whose share falls with their place in the list."""
    weight = 1 / (np.arange(len(words)) + 5.0) ** skew
    return np.array(words, dtype=object)[rng.choice(len(words), count, p=weight / weight.sum())]


def _repeat_names(
    first: Texts,
    last: Texts,
    employer: NDArray[np.int64],
    generation: Texts,
    times: float,
    rng: Rng,
) -> None:
    """Give some people the name of another: a colleague's, a relative's, the father's."""
    order = np.argsort(employer, kind="stable")
    chosen = rng.random(len(order) - 1) / times
    for share, kind in ((0.008, "colleague"), (0.013, "relative"), (0.017, "son")):
        is_it = (chosen < share) & (chosen >= share - 0.005)
        one, other = order[:-1][is_it], order[1:][is_it]
        last[other] = last[one]
        if kind != "relative":
            first[other] = first[one]
        if kind == "son":
            generation[one], generation[other] = "Sr.", "Jr."


def _companies(count: int, names: list[str], rng: Rng) -> pd.DataFrame:
    weight = np.array([_LOCALES[name][0] for name in names])
    locale = rng.choice(names, count, p=weight / weight.sum())
    stem, city = np.empty(count, dtype=object), np.empty(count, dtype=object)
    for name in names:
        rows = np.flatnonzero(locale == name)
        _, lasts, cities = _words(name)
        stem[rows] = rng.choice(np.array(lasts, dtype=object), len(rows))
        city[rows] = _usual(cities, len(rows), rng, 0.4)
    trade = rng.choice(np.array(_TRADES, dtype=object), count)
    second = rng.choice(np.array(_TRADES, dtype=object), count)
    kind = rng.integers(0, 3, count)
    company = np.where(
        kind == 0,
        stem + " " + trade,
        np.where(kind == 1, city + " " + trade, stem + " " + trade + " " + second),
    )
    slug = np.array([_slug(name) for name in company], dtype=object)
    repeat = pd.Series(slug).groupby(slug).cumcount().to_numpy()
    ends = rng.choice(np.array(["com", "com", "com", "co", "eu", "biz"], dtype=object), count)
    domain = [
        f"{s}{'' if n == 0 else n + 1}.{e}" for s, n, e in zip(slug, repeat, ends, strict=True)
    ]
    code = np.array([_LOCALES[name][2] for name in locale], dtype=object)
    return pd.DataFrame({
        "locale": locale, "company": company, "domain": domain, "city": city,
        "form": [_LOCALES[name][1] for name in locale],
        "country": [_LOCALES[name][3] for name in locale],
        "postcode": rng.integers(10_000, 99_999, count).astype(str),
        "board": _numbers(code, count, rng), "style": rng.choice([0, 0, 1, 1, 2, 3], count),
    })  # fmt: skip


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain if letter.isalnum()) or "x"


def _numbers(code: Texts, count: int, rng: Rng) -> Texts:
    lines = rng.integers(200_000_000, 999_999_999, count)
    return np.array([f"+{c}{line}" for c, line in zip(code, lines, strict=True)], dtype=object)


def _work_addresses(first: Texts, last: Texts, at: pd.DataFrame) -> Texts:
    given = [_slug(name) for name in first]
    family = [_slug(name) for name in last]
    local = [
        (f"{g}.{f}", f"{g[0]}{f}", f"{g}{f[0]}", f"{f}.{g}")[style]
        for g, f, style in zip(given, family, at["style"], strict=True)
    ]
    frame = pd.DataFrame({"local": local, "domain": at["domain"].to_numpy()})
    number = frame.groupby(["local", "domain"]).cumcount().to_numpy()
    return np.array([
        f"{mailbox}{'' if n == 0 else n + 1}@{d}"
        for mailbox, n, d in zip(local, number, frame["domain"], strict=True)
    ], dtype=object)  # fmt: skip


def _private(first: Texts, last: Texts, rng: Rng) -> Texts:
    number = rng.integers(0, 1000, len(first))
    host = rng.choice(np.array(_FREE, dtype=object), len(first))
    style = rng.integers(0, 4, len(first))
    made = [
        (f"{_slug(f)}.{_slug(last_name)}{n % 100}", f"{_slug(f)}{_slug(last_name)[0]}{n}",
         f"{_slug(last_name)}{n}",
         f"{_slug(f)[0]}{_slug(last_name)}{n % 100}")[s] + f"@{h}"
        for f, last_name, n, s, h in zip(first, last, number, style, host, strict=True)
    ]  # fmt: skip
    return np.array(made, dtype=object)


# One system's copy -------------------------------------------------------------------------------


def _side(
    cast: pd.DataFrame, view: View, rng: Rng, prefix: str
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    person = np.flatnonzero(rng.random(len(cast)) < view.kept)
    person = np.r_[person, person[rng.random(len(person)) < view.twice]]
    rng.shuffle(person)
    seen = cast.iloc[person].reset_index(drop=True)
    count = len(seen)

    def so(share: float) -> NDArray[np.bool_]:
        return rng.random(count) < share

    is_old = so(view.old_job)

    def now_or_then(field: str) -> Texts:
        return np.where(is_old, seen[f"{field}_former"], seen[f"{field}_employer"]).astype(object)

    first, last = _names_of(seen, view, so, rng)
    frame = pd.DataFrame({
        "record_id": [f"{prefix}{number:07d}" for number in rng.permutation(count)],
        "email": _emails_of(seen, view, so, now_or_then, rng),
        "other_emails": _kept(seen["private"].to_numpy(object), so(view.second_email)),
        "first_name": first,
        "last_name": last,
        "company": _companies_of(view, so, now_or_then, rng),
        "phone": _phones_of(
            np.where(so(view.switchboard), now_or_then("board"), seen["direct"]),
            so(view.phone),
            rng,
        ),
        "mobile": _phones_of(seen["mobile"].to_numpy(object), so(view.mobile), rng),
        "website": _kept("www." + now_or_then("domain"), so(view.website)),
        "title": _kept(
            np.where(so(view.other_title), seen["other_title"], seen["title"]), so(view.title)
        ),
        "city": _kept(_moved(now_or_then("city"), so(view.other_city), rng), so(view.city)),
        "postcode": _kept(
            _moved(now_or_then("postcode"), so(view.other_city), rng), so(view.postcode)
        ),
        "country": _kept(now_or_then("country"), so(view.country)),
    })  # fmt: skip
    return frame.astype("str"), person


def _kept(values: Texts, is_kept: NDArray[np.bool_]) -> Texts:
    return np.where(is_kept, values, None)


def _moved(values: Texts, is_moved: NDArray[np.bool_], rng: Rng) -> Texts:
    return np.where(is_moved, rng.permutation(values), values)


def _changed(values: Texts, is_changed: NDArray[np.bool_], rng: Rng) -> Texts:
    """Mistype the chosen values: a letter left out, doubled, or two exchanged."""
    values = values.copy()
    rows = np.flatnonzero(is_changed)
    at, kind = rng.random(len(rows)), rng.integers(0, 3, len(rows))
    values[rows] = [
        _mistyped(value, where, how)
        for value, where, how in zip(values[rows], at, kind, strict=True)
    ]
    return values


def _mistyped(value: str, where: float, how: int) -> str:
    if len(value) < 4:
        return value
    at = 1 + int(where * (len(value) - 2))
    middle = ("", value[at] * 2, value[at + 1 : at + 2] + value[at])[how]
    return value[:at] + middle + value[at + (2 if how == 2 else 1) :]


def _names_of(seen: pd.DataFrame, view: View, so: Share, rng: Rng) -> tuple[Texts, Texts]:
    first, last = seen["first"].to_numpy(object), seen["last"].to_numpy(object)
    short = np.array([_SHORT.get(name, name) for name in first], dtype=object)
    first = np.where(so(view.short_name), short, first)
    first = _changed(first, so(view.mistyped_name), rng)
    first = np.where(
        so(view.initial), np.array([name[:1] + "." for name in first], dtype=object), first
    )
    last = np.where(so(view.married), rng.permutation(last), last)
    last = _changed(last, so(view.mistyped_name), rng)
    plain = [
        np.array(
            [
                unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or name
                for name in names
            ],
            dtype=object,
        )
        for names in (first, last)
    ]
    is_plain = so(view.no_accents)
    first, last = np.where(is_plain, plain[0], first), np.where(is_plain, plain[1], last)
    named = (seen["generation"] != "").to_numpy() & so(0.7)
    last = np.where(named, last + " " + seen["generation"].to_numpy(object), last)
    first = np.where(so(view.no_first), None, first)
    is_swapped = so(view.swapped)
    return np.where(is_swapped, last, first), np.where(is_swapped, first, last)


def _emails_of(seen: pd.DataFrame, view: View, so: Share, now_or_then: Field, rng: Rng) -> Texts:
    email = np.where(so(view.private), seen["private"].to_numpy(object), now_or_then("email"))
    local = np.array([address.split("@")[0] for address in email], dtype=object)
    host = np.array([address.split("@")[1] for address in email], dtype=object)
    is_free = np.isin(host, _FREE)
    slip = rng.choice(np.array(_FREE_TYPOS, dtype=object), len(host))
    host = np.where(is_free & so(view.free_typo), slip, host)
    local = _changed(local, so(view.mistyped_email), rng)
    role = rng.choice(np.array(_ROLES, dtype=object), len(host))
    is_role = so(view.role) & ~is_free
    local = np.where(is_role, role, local)
    return _kept(local + "@" + host, ~so(view.no_email))


def _companies_of(view: View, so: Share, now_or_then: Field, rng: Rng) -> Texts:
    company = _changed(now_or_then("company"), so(view.mistyped_company), rng)
    word = np.array([name.rsplit(" ", 1)[0] for name in company], dtype=object)
    company = np.where(so(view.first_word), word, company)
    company = np.where(so(view.bare_company), company, company + " " + now_or_then("form"))
    return _kept(company, ~so(view.no_company))


def _phones_of(numbers: Texts, is_kept: NDArray[np.bool_], rng: Rng) -> Texts:
    style = rng.integers(0, 4, len(numbers))
    shaped = [
        (n, f"{n[:-9]} {n[-9:-6]} {n[-6:-3]} {n[-3:]}", f"0{n[-9:]}", f"({n[-9:-6]}) {n[-6:]}")[s]
        for n, s in zip(numbers, style, strict=True)
    ]
    return _kept(np.array(shaped, dtype=object), is_kept)
