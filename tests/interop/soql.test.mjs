// Every SOQL text that reached the stand-in, read by a parser that others wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { composeQuery, isQueryValid, parseQuery } from "@jetstreamapp/soql-parser-js";

const queries = JSON.parse(readFileSync(process.env.QUERIES, "utf8"));

test(`all ${queries.length} queries of the connector are SOQL to the parser`, () => {
  assert.ok(queries.length > 40, `only ${queries.length} queries were asked`);
  const refused = queries.filter((query) => !isQueryValid(query));
  assert.deepEqual(refused, []);
});

test("the parser reads the object, the fields and the order that are written", () => {
  for (const query of queries) {
    const parsed = parseQuery(query);
    const [, selected, object] = /^SELECT (.+?) FROM (\w+)/.exec(query);
    assert.equal(parsed.sObject, object);
    if (!selected.includes("(")) {
      const names = parsed.fields.map((field) => field.rawValue ?? field.field);
      assert.deepEqual(names, selected.split(", "), query);
    }
    assert.equal(Boolean(parsed.orderBy), query.includes(" ORDER BY "));
    assert.equal(Boolean(parsed.where), query.includes(" WHERE "));
  }
});

test("composed anew by the parser, a query keeps its words", () => {
  const plain = (text) => text.replaceAll(/\s+/g, " ").replaceAll(/\b(ASC|NULLS FIRST)\b/g, "").trim();
  for (const query of queries) {
    assert.equal(plain(composeQuery(parseQuery(query))), plain(query));
  }
});

test("the parser refuses what is no SOQL", () => {
  for (const broken of ["SELECT FROM Lead", "SELECT Id Lead", `${queries[0]} WHERE`]) {
    assert.equal(isQueryValid(broken), false, broken);
  }
});
