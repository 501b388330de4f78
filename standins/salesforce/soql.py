"""SOQL read into a tree: the grammar that a sync needs, and the vendor's words for the rest."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal as OneOf
from typing import TypeVar

from standins.salesforce.answers import Refused

T = TypeVar("T")

LONGEST_STATEMENT = 100_000
LONGEST_STRING = 4_000

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"})

LiteralKind = OneOf["string", "number", "boolean", "null", "date", "datetime", "period"]


@dataclass(frozen=True)
class Literal:
    """A written value; a `period` is a named span of days, such as `LAST_N_DAYS:7`."""

    kind: LiteralKind
    value: object
    count: int = 0


@dataclass(frozen=True)
class Path:
    """A field, or a field of a parent: `Account.Owner.Name`."""

    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """Give the path as written."""
        return ".".join(self.parts)


@dataclass(frozen=True)
class Aggregate:
    """A function over a group; `COUNT()` has no path."""

    function: str
    path: Path | None
    alias: str | None = None


@dataclass(frozen=True)
class Alternatives:
    """Which fields to show by the type of a polymorphic parent (`TYPEOF`)."""

    relation: str
    by_type: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True)
class AllFields:
    """`FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`."""

    which: str


@dataclass(frozen=True)
class Comparison:
    """A field against a value, a list of values, or the rows of another query."""

    target: "Path | Aggregate"
    operator: str
    value: "Literal | tuple[Literal, ...] | Query"


@dataclass(frozen=True)
class Junction:
    """Conditions that must `all` or `any` hold."""

    word: OneOf["AND", "OR"]
    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Negation:
    """A condition that must not hold."""

    part: "Condition"


Condition = Comparison | Junction | Negation


@dataclass(frozen=True)
class Ordering:
    """One key to sort by; empty values come first unless said otherwise."""

    target: Path | Aggregate
    is_descending: bool
    is_empty_first: bool


@dataclass(frozen=True)
class Query:
    """A statement; `select` holds what is asked for in its order."""

    select: "tuple[Path | Aggregate | Query | Alternatives | AllFields, ...]"
    source: str
    where: Condition | None = None
    group_by: tuple[Path, ...] = ()
    having: Condition | None = None
    order_by: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def is_count(self) -> bool:
        """Tell whether only the number of rows is asked for."""
        return self.select == (Aggregate("COUNT", None),)


def parse(text: str) -> Query:
    """Read a statement.

    Raises:
        Refused: MALFORMED_QUERY, or NUMBER_OUTSIDE_VALID_RANGE for an offset too large.
    """
    if len(text) > LONGEST_STATEMENT:
        raise malformed(f"SOQL statements cannot be longer than {LONGEST_STATEMENT} characters.")
    return _Parser(text).statement()


def malformed(message: str) -> Refused:
    """Word the refusal of a statement that is no SOQL."""
    return Refused("MALFORMED_QUERY", message)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:\\.|[^'\\])*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d(?![\dT]))
    | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,|:)
    )""",
    re.VERBOSE | re.DOTALL,
)
_COMPARE = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})
_CLAUSES = frozenset(
    {
        "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "USING", "ALL",
        "AND", "OR", "NOT", "IN", "LIKE",
    }
)  # fmt: skip
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            rest = text[at:].lstrip()
            raise malformed(f"unexpected token: '{rest[:1]}'")
        tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        at = found.end()
    return tokens


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if len(inner) > LONGEST_STRING:
        raise malformed(f"string literals cannot be longer than {LONGEST_STRING} characters.")

    def plain(found: re.Match[str]) -> str:
        letter = found[1]
        if letter in "%_":
            return found[0]
        if letter.lower() in _ESCAPES:
            return _ESCAPES[letter.lower()]
        if letter in "'\"\\":
            return letter
        raise malformed(f"Illegal character sequence '\\{letter}' in string literal.")

    return re.sub(r"\\(.)", plain, inner, flags=re.DOTALL)


class _Parser:
    """Recursive descent over the tokens of one statement."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at = text, _tokens(text), 0

    def statement(self) -> Query:
        query = self._query()
        if self._at < len(self._tokens):
            raise self._unexpected()
        return query

    # Tokens

    def _peek(self, ahead: int = 0) -> _Token:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else _Token("end", "<EOF>", -1)

    def _is(self, *words: str) -> bool:
        ahead = [self._peek(n) for n in range(len(words))]
        return all(t.text.upper() == w for t, w in zip(ahead, words, strict=True)) and all(
            t.kind in {"name", "sign"} for t in ahead
        )

    def _take(self, *words: str) -> bool:
        if self._is(*words):
            self._at += len(words)
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._unexpected(f"expecting {word}")

    def _next(self, kind: str) -> str:
        token = self._peek()
        if token.kind != kind or (kind == "name" and token.text.upper() in _CLAUSES):
            raise self._unexpected(f"expecting a {kind}")
        self._at += 1
        return token.text

    def _unexpected(self, hint: str = "") -> Refused:
        token = self._peek()
        place = f" at position {token.at}" if token.at >= 0 else ""
        return malformed(
            f"unexpected token: '{token.text}'{place}" + (f" ({hint})" if hint else "")
        )

    def _count(self) -> int:
        text = self._next("number")
        if not text.isdigit():
            raise malformed(f"unexpected token: '{text}'")
        return int(text)

    # Clauses, in the order in which they may stand

    def _query(self) -> Query:
        self._need("SELECT")
        select = self._list(self._selected)
        self._need("FROM")
        source = self._object()
        if self._peek().kind == "name" and self._peek().text.upper() not in _CLAUSES:
            self._next("name")  # an alias: `FROM Lead l`
        if self._take("USING", "SCOPE"):
            self._next("name")
        where = self._condition(self._path) if self._take("WHERE") else None
        group_by = tuple(self._list(self._path)) if self._take("GROUP", "BY") else ()
        having = self._condition(self._measure) if self._take("HAVING") else None
        order_by = tuple(self._list(self._ordering)) if self._take("ORDER", "BY") else ()
        limit = self._count() if self._take("LIMIT") else None
        offset = self._count() if self._take("OFFSET") else 0
        self._for()
        if offset > 2000:
            raise Refused("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        return Query(tuple(select), source, where, group_by, having, order_by, limit, offset)

    def _object(self) -> str:
        # The object of queues bears the name of a clause: `FROM Group GROUP BY Type`.
        if self._is("GROUP") and not self._is("GROUP", "BY"):
            self._at += 1
            return self._tokens[self._at - 1].text
        return self._next("name")

    def _for(self) -> None:
        if self._take("FOR") and not any(map(self._take, ("VIEW", "REFERENCE", "UPDATE"))):
            raise self._unexpected()

    def _list(self, one: Callable[[], T]) -> list[T]:
        found = [one()]
        while self._take(","):
            found.append(one())
        return found

    def _selected(self) -> "Path | Aggregate | Query | Alternatives | AllFields":
        if self._take("("):
            query = self._query()
            self._need(")")
            return query
        if self._take("TYPEOF"):
            return self._alternatives()
        if self._is("FIELDS", "("):
            self._at += 2
            which = next((word for word in ("ALL", "STANDARD", "CUSTOM") if self._take(word)), "")
            if not which:
                raise self._unexpected()
            self._need(")")
            return AllFields(which)
        if self._peek(1).text == "(":
            return self._aggregate()
        return self._path()

    def _alternatives(self) -> Alternatives:
        relation = self._next("name")
        by_type = []
        while self._take("WHEN"):
            kind = self._next("name")
            self._need("THEN")
            by_type.append((kind, tuple(self._list(self._path))))
        otherwise = tuple(self._list(self._path)) if self._take("ELSE") else ()
        self._need("END")
        return Alternatives(relation, tuple(by_type), otherwise)

    def _aggregate(self) -> Aggregate:
        function = self._next("name").upper()
        if function not in AGGREGATES:
            raise malformed(f"unexpected token: '{function}'")
        self._need("(")
        path = None if function == "COUNT" and self._is(")") else self._path()
        self._need(")")
        token = self._peek()
        is_alias = token.kind == "name" and token.text.upper() not in _CLAUSES | {"ASC", "DESC"}
        return Aggregate(function, path, self._next("name") if path and is_alias else None)

    def _path(self) -> Path:
        parts = tuple(self._next("name").split("."))
        if len(parts) > 6:
            raise malformed("a path may go up to five parents")
        return Path(parts)

    def _measure(self) -> Path | Aggregate:
        return self._aggregate() if self._peek(1).text == "(" else self._path()

    def _ordering(self) -> Ordering:
        target = self._measure()
        is_descending = self._take("DESC")
        if not is_descending:
            self._take("ASC")
        is_empty_first = not self._take("NULLS", "LAST")
        self._take("NULLS", "FIRST")
        return Ordering(target, is_descending, is_empty_first)

    # Conditions

    def _condition(self, target: Callable[[], Path | Aggregate]) -> Condition:
        parts = [self._single(target)]
        word = self._peek().text.upper()
        if word not in {"AND", "OR"}:
            return parts[0]
        while self._take(word):
            parts.append(self._single(target))
        if self._is("AND") or self._is("OR"):
            raise self._unexpected("AND and OR need parentheses between them")
        return Junction("AND" if word == "AND" else "OR", tuple(parts))

    def _single(self, target: Callable[[], Path | Aggregate]) -> Condition:
        if self._take("NOT"):
            return Negation(self._single(target))
        if self._take("("):
            inside = self._condition(target)
            self._need(")")
            return inside
        return self._comparison(target())

    def _comparison(self, target: Path | Aggregate) -> Comparison:
        token = self._peek()
        if token.text in _COMPARE:
            self._at += 1
            operator = "!=" if token.text == "<>" else token.text
            return Comparison(target, operator, self._literal())
        if self._take("LIKE"):
            return Comparison(target, "LIKE", self._literal())
        if self._take("NOT", "IN"):
            return Comparison(target, "NOT IN", self._members())
        for word in ("IN", "INCLUDES", "EXCLUDES"):
            if self._take(word):
                return Comparison(target, word, self._members())
        raise self._unexpected("expecting an operator")

    def _members(self) -> "tuple[Literal, ...] | Query":
        self._need("(")
        if self._is("SELECT"):
            query = self._query()
            self._need(")")
            return query
        literals = tuple(self._list(self._literal))
        self._need(")")
        return literals

    def _literal(self) -> Literal:
        token = self._peek()
        self._at += 1
        if token.kind == "string":
            return Literal("string", _unquoted(token.text))
        if token.kind == "number":
            return Literal("number", Decimal(token.text))
        if token.kind in {"date", "datetime"}:
            return Literal("date" if token.kind == "date" else "datetime", token.text)
        word = token.text.upper()
        if token.kind == "name" and word in {"TRUE", "FALSE"}:
            return Literal("boolean", word == "TRUE")
        if token.kind == "name" and word == "NULL":
            return Literal("null", None)
        if token.kind == "name" and word not in _CLAUSES:
            count = self._count() if self._take(":") else 0
            return Literal("period", word, count)
        self._at -= 1
        raise self._unexpected("expecting a value")
