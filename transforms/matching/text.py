"""Names, companies and places in plain letters: the spelling that matching compares.

Every function takes a list of distinct values and gives one plain value for each, so that a value
that a million records share is worked out once.
"""

import re

from anyascii import anyascii

from transforms.matching.words import Words

_GENERATION = re.compile(r"\b(jr|sr|junior|senior|ii|iii|iv)\b")
_GENERATIONS = {"jr": 1, "junior": 1, "sr": 2, "senior": 2, "ii": 3, "iii": 4, "iv": 5}
_TITLE = re.compile(r"\b(mr|mrs|ms|miss|dr|prof|herr|frau|mme|sir|phd|mba|md|cpa|esq|ing|dipl)\b")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_JOINED = re.compile(r"['’`´.]")
# How one sound is written in different languages; long spellings first.
_SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("tsch|tch|cz|sch|sh|ch|zh", "s"),
        ("ae", "a"),
        ("oe|ou", "o"),
        ("ue", "u"),
        ("ph", "f"),
        ("kh|ck|gh", "k"),
        ("th|dt", "t"),
        ("x", "ks"),
        ("[cq]", "k"),
        ("z", "s"),
        ("w", "v"),
        ("[yj]", "i"),
        (r"(.)\1+", r"\1"),
        ("ei|ie", "i"),
    )
]


def plain(value: str) -> str:
    """Write text in lower-case ASCII words with one space between.

    >>> plain("José  O'Néill-Smith"), plain("Иванова")
    ('jose oneill smith', 'ivanova')
    """
    text = value if value.isascii() else anyascii(value)
    return _SEPARATORS.sub(" ", _JOINED.sub("", text.lower())).strip()


def skeleton(word: str) -> str:
    """Reduce a plain word to its sounds, so that transliterations of one name come out equal.

    >>> skeleton("yuliya"), skeleton("julia"), skeleton("mueller"), skeleton("muller")
    ('iulia', 'iulia', 'muler', 'muler')
    """
    text = word.replace(" ", "")
    for pattern, sound in _SOUNDS:
        text = pattern.sub(sound, text)
    return text


def person_name(value: str) -> tuple[str, int]:
    """Give a plain given or family name, and the generation that stood beside it (0: none).

    >>> person_name("Dr. Smith, Jr.")
    ('smith', 1)
    """
    text = _TITLE.sub(" ", plain(value))
    found = _GENERATION.search(text)
    if found and text.strip() != found[0]:
        return " ".join(_GENERATION.sub(" ", text).split()), _GENERATIONS[found[1]]
    return " ".join(text.split()), 0


def company(value: str, words: Words) -> str:
    """Give a company's plain name without its legal form.

    >>> company("The Müller & Söhne GmbH & Co. KG", Words.parse('''{"nicknames": {},
    ...     "legal_forms": ["gmbh", "gmbh co kg"], "suffixes": [], "free_mail": []}'''))
    'muller sohne'
    """
    text = plain(value.replace("&", " "))
    tokens = [token for token in text.split() if token not in {"the", "and", "und", "et", "y"}]
    bare = _without_form(tokens, words)
    return " ".join(bare or tokens)


def _without_form(tokens: list[str], words: Words) -> list[str]:
    is_cut = True
    while is_cut and len(tokens) > 1:
        is_cut = False
        for size in range(min(words.longest_form, len(tokens) - 1), 0, -1):
            if " ".join(tokens[-size:]) in words.legal_forms:
                tokens, is_cut = tokens[:-size], True
                break
    return tokens


_LONG_WORDS = {
    "vp": "vice president", "svp": "senior vice president", "evp": "executive vice president",
    "sr": "senior", "jr": "junior", "mgr": "manager", "dir": "director", "eng": "engineer",
    "ceo": "chief executive officer", "cfo": "chief financial officer", "mktg": "marketing",
    "cto": "chief technology officer", "coo": "chief operating officer", "dev": "developer",
    "cmo": "chief marketing officer", "cio": "chief information officer", "asst": "assistant",
    "ops": "operations", "mgmt": "management", "admin": "administrator", "exec": "executive",
}  # fmt: skip


def job_title(value: str) -> str:
    """Give a plain job title, its usual abbreviations written out.

    >>> job_title("Sr. Mgr, Ops")
    'senior manager operations'
    """
    tokens = [_LONG_WORDS.get(token, token) for token in plain(value).split()]
    return " ".join(token for token in tokens if token not in {"of", "the", "and"})
