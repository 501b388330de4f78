"""E-mail addresses: how one human comes to have several, and several humans one."""

import unicodedata

from standins.world.cast import Company, Human
from standins.world.dice import Dice
from standins.world.words import FREE_MAIL

# How the address on a further record relates to the human's work address.
EXACT, CASE, PLUS, PERSONAL, TYPO, ALIAS, SHORT, OLD_NAME, MISSING = (
    "exact", "case", "plus", "personal", "typo", "alias", "short", "old name", "missing",
)  # fmt: skip


def plain(name: str) -> str:
    """Write a name as the local part of an address: ASCII letters in lower case.

    >>> plain("Łukasz"), plain("O'Brien"), plain("García")
    ('lukasz', 'obrien', 'garcia')
    """
    spelled = name.translate(str.maketrans("łŁøØıß", "lLoOis"))
    decomposed = unicodedata.normalize("NFKD", spelled)
    return "".join(letter for letter in decomposed.lower() if letter.isascii() and letter.isalnum())


def mailbox(address: str) -> str:
    """Write an address so that two ways of writing one mailbox are equal.

    >>> mailbox("Ann.Lee+crm@gmail.com"), mailbox("A.B+x@acme.test")
    ('annlee@gmail.com', 'a.b@acme.test')
    """
    local, _, domain = address.strip().lower().partition("@")
    local = local.partition("+")[0]
    return f"{local.replace('.', '') if domain == 'gmail.com' else local}@{domain}"


class Addresses:
    """Who holds which mailbox: two humans share one only where the story says so."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._holders: dict[str, int] = {}
        self._personal: dict[int, str] = {}

    def claim(self, human: Human, address: str) -> bool:
        """Take a mailbox for a human; say whether nobody else has it."""
        return self._holders.setdefault(mailbox(address), human.number) == human.number

    def of(self, human: Human, relation: str) -> str | None:
        """Write an address that stands in this relation to the human's work address."""
        first, last, domain = plain(human.first), plain(human.last), human.company.domain
        if relation == MISSING:
            return None
        if relation == PERSONAL:
            return self._personal_address(human)
        if relation == ALIAS:
            return self._free(human, f"{first}.{last}", human.company.alias_domain)
        if relation == SHORT:
            return self._free(human, f"{first[:1]}{last}", domain)
        if relation == OLD_NAME:
            return self._free(human, f"{first}.{plain(human.old_last)}", domain)
        if relation == TYPO:
            return self._typo(human, f"{first}.{last}", domain)
        return self.written(self._free(human, f"{first}.{last}", domain), relation)

    def role(self, company: Company, name: str) -> str:
        """Give a role mailbox of a company; it belongs to nobody alone."""
        address = f"{name}@{company.domain}"
        self._holders[mailbox(address)] = -1
        return address

    def family(self, human: Human) -> str:
        """Give an address that a family shares."""
        address = self._free(human, f"family.{plain(human.last)}", self._dice.pick(FREE_MAIL))
        self._holders[mailbox(address)] = -1
        return address

    def written(self, address: str, relation: str) -> str:
        """Write an address another way that reaches the same mailbox."""
        local, _, domain = address.partition("@")
        if relation == PLUS:
            return f"{local}+{self._dice.pick(('crm', 'web', 'newsletter', '2026'))}@{domain}"
        if relation == CASE:
            return f"{local.title()}@{domain.upper()}"
        return address

    def _personal_address(self, human: Human) -> str:
        if human.number not in self._personal:
            local = f"{plain(human.first)}.{plain(human.last)}{self._dice.whole(60, 99)}"
            domain = self._dice.pick(FREE_MAIL)
            self._personal[human.number] = self._free(human, local, domain)
        return self._personal[human.number]

    def _typo(self, human: Human, local: str, domain: str) -> str:
        """Swap two letters or drop one, where a human would."""
        at = self._dice.whole(1, max(1, len(local) - 3))
        if self._dice.chance(0.5):
            wrong = local[:at] + local[at + 1] + local[at] + local[at + 2 :]
        else:
            wrong = local[:at] + local[at + 1 :]
        return self._free(human, wrong if wrong != local else f"{local}{local[-1]}", domain)

    def _free(self, human: Human, local: str, domain: str) -> str:
        """Add a number until the mailbox is the human's own, as mail administrators do."""
        for number in range(1, 10_000):
            address = f"{local}{number if number > 1 else ''}@{domain}"
            if self.claim(human, address):
                return address
        raise RuntimeError(f"no free mailbox left at {domain}")
