// The HubSpot stand-in, used by HubSpot's own client for Node: its models take every answer apart.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import hubspot from "@hubspot/api-client";

const client = new hubspot.Client({
  accessToken: "standin-token",
  basePath: process.env.HUBSPOT_URL,
  numberOfApiCallRetries: 0,
});
const { contacts, companies, deals, properties, owners, pipelines } = client.crm;
const links = client.crm.associations.v4;
const FIELDS = ["email", "firstname", "lifecyclestage", "lastmodifieddate"];

let all;
before(async () => {
  all = await contacts.getAll(100, undefined, FIELDS);
});

const byId = (one, other) => Number(one.id) - Number(other.id);

test("listing pages to the end gives every contact once, with real dates", async () => {
  assert.ok(all.length > 150, `${all.length} contacts`);
  assert.equal(new Set(all.map((one) => one.id)).size, all.length);
  for (const one of all) {
    assert.ok(one.createdAt instanceof Date && !Number.isNaN(one.createdAt.valueOf()));
    assert.equal(one.archived, false);
    assert.deepEqual(Object.keys(one.properties).filter((name) => FIELDS.includes(name)).sort(), [...FIELDS].sort());
  }
});

test("a page names the next one, and the last names none", async () => {
  const first = await contacts.basicApi.getPage(7, undefined, ["email"]);
  assert.equal(first.results.length, 7);
  const second = await contacts.basicApi.getPage(7, first.paging.next.after, ["email"]);
  assert.notEqual(second.results[0].id, first.results[0].id);
  const few = await companies.getAll(3);
  assert.equal(new Set(few.map((one) => one.id)).size, few.length);
});

test("a list brings histories and associations along when asked", async () => {
  const page = await contacts.basicApi.getPage(50, undefined, ["email"], ["lifecyclestage"], ["companies"]);
  const told = page.results.find((one) => one.propertiesWithHistory.lifecyclestage?.length > 1);
  const [newest, before] = told.propertiesWithHistory.lifecyclestage;
  assert.ok(newest.timestamp >= before.timestamp);
  assert.ok(page.results.some((one) => one.associations?.companies.results.length > 0));
});

test("searching by id in pages of keys finds what listing finds", async () => {
  const found = [];
  let last = 0;
  for (;;) {
    const page = await contacts.searchApi.doSearch({
      filterGroups: [{ filters: [{ propertyName: "hs_object_id", operator: "GT", value: String(last) }] }],
      sorts: [{ propertyName: "hs_object_id", direction: "ASCENDING" }],
      properties: ["email"],
      limit: 50,
    });
    found.push(...page.results);
    if (!page.paging?.next) break;
    last = page.results.at(-1).id;
  }
  assert.deepEqual(found.map((one) => one.id), [...all].sort(byId).map((one) => one.id));
});

test("searching by offset pages too, and tells the total", async () => {
  const request = { filterGroups: [{ filters: [{ propertyName: "email", operator: "HAS_PROPERTY" }] }],
                    sorts: ["hs_object_id"], properties: ["email"], limit: 40 };
  const first = await contacts.searchApi.doSearch(request);
  const second = await contacts.searchApi.doSearch({ ...request, after: first.paging.next.after });
  assert.equal(first.total, all.filter((one) => one.properties.email).length);
  assert.equal(new Set([...first.results, ...second.results].map((one) => one.id)).size, 80);
});

test("a batch read gives values and histories, and names what is not there", async () => {
  const ids = all.slice(0, 20).map((one) => ({ id: one.id }));
  const told = await contacts.batchApi.read({ inputs: [...ids, { id: "999999999999" }], properties: FIELDS,
                                              propertiesWithHistory: ["lifecyclestage"] });
  assert.equal(told.status, "COMPLETE");
  assert.equal(told.results.length, 20);
  assert.equal(told.numErrors, 1);
  assert.deepEqual(told.errors[0].context.ids, ["999999999999"]);
});

test("a contact is found by its e-mail address", async () => {
  const wanted = all.find((one) => one.properties.email);
  const told = await contacts.basicApi.getById(wanted.properties.email, ["email"], undefined, undefined, false, "email");
  assert.equal(told.id, wanted.id);
});

test("a batch update sets values; the bad row alone is refused, by its trace id", async () => {
  const [one, other] = all;
  const { httpStatusCode, data } = await contacts.batchApi.updateWithHttpInfo({
    inputs: [
      { id: one.id, properties: { firstname: "Renamed" }, objectWriteTraceId: "good" },
      { id: other.id, properties: { no_such_property: "x" }, objectWriteTraceId: "bad" },
    ],
  });
  assert.equal(httpStatusCode, 207);
  assert.deepEqual(data.results.map((result) => result.id), [one.id]);
  assert.deepEqual(data.errors[0].context.objectWriteTraceId, ["bad"]);
  const back = await contacts.basicApi.getById(one.id, ["firstname"]);
  assert.equal(back.properties.firstname, "Renamed");
});

test("a batch upsert creates once and updates afterwards", async () => {
  const write = (name) => contacts.batchApi.upsert({
    inputs: [{ id: "interop@example.com", idProperty: "email", properties: { firstname: name } }],
  });
  const [first, second] = [(await write("First")).results[0], (await write("Second")).results[0]];
  assert.equal(first._new, true);
  assert.equal(second._new, false);
  assert.equal(second.id, first.id);
  assert.equal(second.properties.firstname, "Second");
});

test("a contact is created, conflicts with its own address, and is archived", async () => {
  const input = { properties: { email: "once@example.com" }, associations: [] };
  const made = await contacts.basicApi.create(input);
  await assert.rejects(contacts.basicApi.create(input), (error) => error.code === 409);
  await contacts.basicApi.archive(made.id);
  await assert.rejects(contacts.basicApi.getById(made.id), (error) => error.code === 404);
  const gone = await contacts.basicApi.getById(made.id, [], [], [], true);
  assert.equal(gone.archived, true);
  assert.ok(gone.archivedAt instanceof Date);
});

test("two contacts are merged into one that both ids lead to", async () => {
  const make = (email) => contacts.basicApi.create({ properties: { email }, associations: [] });
  const [one, other] = [await make("merge1@example.com"), await make("merge2@example.com")];
  await contacts.basicApi.merge({ primaryObjectId: one.id, objectIdToMerge: other.id });
  const read = (id) => contacts.basicApi.getById(id, ["email", "hs_merged_object_ids"]);
  const [first, second] = [await read(one.id), await read(other.id)];
  assert.equal(first.id, second.id);
  assert.equal(first.properties.email, "merge1@example.com");
  assert.ok(first.properties.hs_merged_object_ids.includes(other.id));
});

test("a batch is archived, and the archived are listed apart", async () => {
  const inputs = ["a", "b"].map((name) => ({ properties: { email: `${name}@archive.example` }, associations: [] }));
  const made = await contacts.batchApi.create({ inputs });
  await contacts.batchApi.archive({ inputs: made.results.map(({ id }) => ({ id })) });
  const gone = await contacts.getAll(100, undefined, ["email"], undefined, undefined, true);
  for (const { id } of made.results) assert.ok(gone.some((one) => one.id === id && one.archived));
});

test("associations of many records are read at once, and one pair is made", async () => {
  const inputs = all.slice(0, 100).map((one) => ({ id: one.id }));
  const told = await links.batchApi.getPage("contacts", "companies", { inputs });
  assert.ok(told.results.length > 0);
  for (const { to } of told.results) {
    assert.ok(to.every((end) => end.toObjectId && end.associationTypes[0].category));
  }
  const [contact, company] = [all.at(-1), (await companies.getAll())[0]];
  await links.basicApi.createDefault("contacts", contact.id, "companies", company.id);
  const now = await links.basicApi.getPage("contacts", contact.id, "companies");
  assert.ok(now.results.some((end) => String(end.toObjectId) === company.id));
});

test("properties are listed, grouped and made", async () => {
  const { results } = await properties.coreApi.getAll("contacts");
  const email = results.find((one) => one.name === "email");
  assert.equal(email.type, "string");
  assert.equal(email.modificationMetadata.readOnlyValue, false);
  assert.ok(results.some((one) => one.name.startsWith("tandem_")));
  const made = await properties.coreApi.create("contacts", {
    name: "interop_field", label: "Interop", type: "enumeration", fieldType: "select", groupName: "contactinformation",
    options: [{ label: "Red", value: "red", displayOrder: 0, hidden: false }],
  });
  assert.deepEqual(made.options.map((option) => option.value), ["red"]);
  assert.equal((await properties.coreApi.getByName("contacts", "interop_field")).label, "Interop");
});

test("owners are listed, and one is found by id", async () => {
  const { results } = await owners.ownersApi.getPage(undefined, undefined, 500, false);
  assert.ok(results.length > 1);
  const one = await owners.ownersApi.getById(Number(results[0].id), "id", false);
  assert.equal(one.email, results[0].email);
  assert.ok((await owners.ownersApi.getPage(undefined, undefined, 500, true)).results.every((each) => each.archived));
});

test("the stages of the pipeline are those that deals are in", async () => {
  const { results } = await pipelines.pipelinesApi.getAll("deals");
  const stages = new Set(results.flatMap((one) => one.stages.map((stage) => stage.id)));
  for (const deal of await deals.getAll(100, undefined, ["dealstage"])) {
    assert.ok(stages.has(deal.properties.dealstage), deal.properties.dealstage);
  }
});

test("a wrong token, a wrong property in a search and too many inputs are refused", async () => {
  const stranger = new hubspot.Client({ accessToken: "wrong", basePath: process.env.HUBSPOT_URL });
  await assert.rejects(stranger.crm.contacts.basicApi.getPage(1), (error) => error.code === 401);
  const filters = [{ propertyName: "no_such_property", operator: "EQ", value: "1" }];
  await assert.rejects(contacts.searchApi.doSearch({ filterGroups: [{ filters }] }), (error) => error.code === 400);
  const inputs = Array.from({ length: 101 }, (_, index) => ({ id: String(index + 1) }));
  await assert.rejects(contacts.batchApi.read({ inputs, properties: [] }), (error) => error.code === 400);
});

test("any other path is reached by the client's own request", async () => {
  const answer = await client.apiRequest({ path: "/account-info/v3/details" });
  const told = await answer.json();
  assert.ok(told.portalId && told.timeZone && told.companyCurrency);
});
