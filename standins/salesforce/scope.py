"""Fields as a statement names them, here or at a parent, and the way to their values."""

from collections.abc import Callable, Sequence

from standins.salesforce import soql
from standins.salesforce.answers import Refused
from standins.salesforce.catalog import NAME
from standins.salesforce.org import Org
from standins.salesforce.reading import read_catalog
from standins.salesforce.schema import Field, SObject
from standins.salesforce.tables import Row

Getter = Callable[[Row], object]

# What stands for the target of a lookup that may lead to several objects.
ANY_NAME = read_catalog(NAME)["name"]


def invalid_field(message: str) -> Refused:
    """Word the refusal of a field that is not there or cannot be used so."""
    return Refused("INVALID_FIELD", message)


def queryable(org: Org, name: str, *, is_tooling: bool = False) -> SObject:
    """Find the object that a statement reads from, in any spelling of its letters.

    Raises:
        Refused: INVALID_TYPE.
    """
    found = org.objects.get(name.lower())
    if found is None or found.is_tooling > is_tooling or "queryable" not in found.abilities:
        raise Refused(
            "INVALID_TYPE",
            f"sObject type '{name}' is not supported. If you are attempting to use a custom "
            "object, be sure to append the '__c' after the entity name. Please reference your WSDL "
            "or the describe call for the appropriate names.",
        )
    return found


class Scope:
    """An object as the start of paths."""

    def __init__(self, org: Org, sobject: SObject) -> None:
        self.org, self.sobject = org, sobject
        self.fields = ANY_NAME.fields if sobject is ANY_NAME else org.visible(sobject)

    def field(self, name: str) -> Field:
        """Find a field that the user sees."""
        found = self.fields.get(name.lower())
        if found is None:
            raise invalid_field(
                f"No such column '{name}' on entity '{self.sobject.name}'. If you are attempting "
                "to use a custom field, be sure to append the '__c' after the custom field name. "
                "Please reference your WSDL or the describe call for the appropriate names."
            )
        return found

    def parent(self, relation: str) -> "tuple[Field, Scope]":
        """Find the lookup behind a relationship, and the object it leads to."""
        for field in self.fields.values():
            if field.relationship and field.relationship.lower() == relation.lower():
                known = [one for one in field.reference_to if one.lower() in self.org.objects]
                if len(field.reference_to) == 1 and known:
                    return field, Scope(self.org, self.org.sobject(known[0]))
                return field, Scope(self.org, ANY_NAME)
        raise invalid_field(
            f"Didn't understand relationship '{relation}' in field path. If you are attempting to "
            "use a custom relationship, be sure to append the '__r' after the custom relationship "
            "name. Please reference your WSDL or the describe call for the appropriate names."
        )

    def resolve(self, path: soql.Path) -> tuple[Field, Getter]:
        """Find a field, here or at a parent, and the way to its value from a row."""
        if len(path.parts) == 1 or path.parts[0].lower() == self.sobject.name.lower():
            field = self.field(path.parts[-1])
            return field, reader(self.sobject, field)
        lookup, scope = self.parent(path.parts[0])
        field, inner = scope.resolve(soql.Path(path.parts[1:]))
        return field, _through(self.org, lookup.name, scope.sobject, field, inner)


def reader(sobject: SObject, field: Field) -> Getter:
    """Give the way from a row to the value of one of its own fields."""
    name = field.name
    if field.type == "boolean":
        return lambda row: row.get(name, False)
    if field.type == "address":
        parts = [one.name for one in sobject.fields.values() if one.compound == name]
        return lambda row: _address(row, name, parts)
    return lambda row: row.get(name)


def _address(row: Row, whole: str, parts: Sequence[str]) -> Row | None:
    prefix = whole.removesuffix("Address")
    found = {}
    for part in parts:
        bare = part.removeprefix(prefix)
        found[bare[:1].lower() + bare[1:]] = row.get(part)
    return found if any(value is not None for value in found.values()) else None


def _through(org: Org, lookup: str, target: SObject, field: Field, inner: Getter) -> Getter:
    is_type = target is ANY_NAME and field.name == "Type"

    def read(row: Row) -> object:
        found = org.find(row.get(lookup))
        if found is None:
            return None
        return found[0].name if is_type else inner(found[1])

    return read
