"""How amounts and durations are worded wherever people read them."""

from agreement.money import format_minor, minor_digits


def money_text(minor: int, currency: str) -> str:
    """Word minor units with every digit the currency has, thousands apart.

    >>> money_text(-123450, "EUR"), money_text(1000, "JPY")
    ('-1,234.50 EUR', '1,000 JPY')
    """
    digits = minor_digits(currency)
    whole, _, rest = format_minor(abs(minor), digits).partition(".")
    cents = f".{rest.ljust(digits, '0')}" if digits else ""
    return f"{'-' if minor < 0 else ''}{int(whole):,}{cents} {currency}"


def signed_money(minor: int, currency: str) -> str:
    """Word a change of an amount with its sign; none is a dash.

    >>> signed_money(1250, "EUR"), signed_money(-1250, "EUR"), signed_money(0, "EUR")
    ('+12.50 EUR', '-12.50 EUR', '–')
    """
    return f"{'+' if minor > 0 else ''}{money_text(minor, currency)}" if minor else "–"


def duration_text(seconds: float | None) -> str:
    """Word seconds as hours and minutes; None stands for a figure that the waiting ones hold open.

    >>> duration_text(5400), duration_text(None)
    ('1 h 30 min', 'not reached yet')
    """
    if seconds is None:
        return "not reached yet"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def link_text(bits: float | None) -> str:
    """Word the sum of match weights from which a pair is linked; None where no sum is enough.

    >>> link_text(5.149), link_text(None)
    ('linked from +5.1 bits', 'never linked unasked')
    """
    return "never linked unasked" if bits is None else f"linked from {bits:+.1f} bits"


def words(name: str) -> str:
    """Word a name of ours for a reader.

    >>> words("never_touched")
    'never touched'
    """
    return name.replace("_", " ")


def share_text(ppm: int | None) -> str:
    """Word parts per million as percent; None stands for a share of nothing.

    >>> share_text(666_666), share_text(None)
    ('66.7 %', 'nothing to count')
    """
    return "nothing to count" if ppm is None else f"{ppm / 10_000:.1f} %"
