"""Rows as JSON shows them."""

from collections.abc import Callable
from typing import Any

from standins.salesforce import soql
from standins.salesforce.schema import SObject
from standins.salesforce.scope import ANY_NAME, Getter, Scope, invalid_field, queryable, reader
from standins.salesforce.tables import Row


class Shape:
    """How a row of one object is shown: its fields, its parents, its children."""

    def __init__(self, scope: Scope, version: str) -> None:
        self._scope, self._version = scope, version
        self._plain: dict[str, object] = {}
        self._computed: dict[str, Getter] = {}
        self._parents: dict[str, tuple[str, Shape]] = {}
        self._children: dict[str, Callable[[Row], object]] = {}
        self._by_type: dict[str, tuple[str, dict[str, Shape]]] = {}

    def add(self, path: soql.Path) -> None:
        """Show a field, here or at a parent."""
        parts = path.parts
        if len(parts) > 1 and parts[0].lower() != self._scope.sobject.name.lower():
            lookup, scope = self._scope.parent(parts[0])
            relation = str(lookup.relationship)
            _, shape = self._parents.setdefault(
                relation, (lookup.name, Shape(scope, self._version))
            )
            shape.add(soql.Path(parts[1:]))
            return
        field = self._scope.field(parts[-1])
        if field.name in self._plain or field.name in self._computed:
            raise invalid_field(f"duplicate field selected: {field.name}")
        if field.type == "address" or (self._scope.sobject is ANY_NAME and field.name == "Type"):
            self._computed[field.name] = reader(self._scope.sobject, field)
        else:
            self._plain[field.name] = False if field.type == "boolean" else None

    def add_children(self, name: str, rows_of: Callable[[Row], object]) -> None:
        """Show a list of child rows."""
        self._children[name] = rows_of

    def add_alternatives(self, asked: soql.Alternatives) -> None:
        """Show fields of a polymorphic parent by what it is."""
        lookup, _ = self._scope.parent(asked.relation)
        shapes = {}
        otherwise = Shape(Scope(self._scope.org, ANY_NAME), self._version)
        for path in asked.otherwise:
            otherwise.add(path)
        for kind, paths in asked.by_type:
            sobject = queryable(self._scope.org, kind)
            shapes[sobject.name] = Shape(Scope(self._scope.org, sobject), self._version)
            for path in paths:
                shapes[sobject.name].add(path)
        self._by_type[str(lookup.relationship)] = (lookup.name, shapes | {"": otherwise})

    def show(self, row: Row, sobject: SObject | None = None) -> dict[str, Any]:
        """Give a row as JSON shows it."""
        name = (sobject or self._scope.sobject).name
        url = f"/services/data/{self._version}/sobjects/{name}/{row['Id']}"
        shown: dict[str, Any] = {"attributes": {"type": name, "url": url}}
        get = row.get
        for field, default in self._plain.items():
            shown[field] = get(field, default)
        for field, read in self._computed.items():
            shown[field] = name if self._scope.sobject is ANY_NAME else read(row)
        for relation, (lookup, shape) in self._parents.items():
            found = self._scope.org.find(get(lookup))
            shown[relation] = shape.show(found[1], found[0]) if found else None
        for relation, (lookup, shapes) in self._by_type.items():
            found = self._scope.org.find(get(lookup))
            shown[relation] = None
            if found:
                shape = shapes.get(found[0].name, shapes[""])
                shown[relation] = shape.show(found[1], found[0])
        for relation, rows_of in self._children.items():
            shown[relation] = rows_of(row)
        return shown
