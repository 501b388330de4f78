// The Salesforce stand-in, used by jsforce: query, describe, collections, bulk 2.0 both ways.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import jsforce from "@jsforce/jsforce-node";

const VERSION = "66.0";
const url = process.env.SALESFORCE_URL;
const conn = new jsforce.Connection({
  version: VERSION,
  loginUrl: url,
  instanceUrl: url,
  oauth2: { loginUrl: url, clientId: "standin-client", clientSecret: "standin-secret" },
});
const POLL = { pollInterval: 100, pollTimeout: 30_000 };

let leads;
before(async () => {
  await conn.authorize({ grant_type: "client_credentials" });
  leads = await every("SELECT Id, LastName, Email, Status, IsConverted, CreatedDate FROM Lead ORDER BY CreatedDate, Id");
});

async function every(soql, options = {}) {
  return (await conn.query(soql, { autoFetch: true, maxFetch: 100_000, ...options })).records;
}

const ids = (rows) => rows.map((row) => row.Id).sort();
const open = () => leads.filter((lead) => !lead.IsConverted);

test("the login gives a token, where the org answers, and who we are", async () => {
  assert.equal(conn.instanceUrl, url);
  const told = await conn.identity();
  assert.match(told.user_id, /^005\w{15}$/);
  assert.match(told.organization_id, /^00D\w{15}$/);
});

test("a query gives rows with their type, and how many there are", async () => {
  const told = await conn.query("SELECT Id, Name FROM Account ORDER BY Name LIMIT 5");
  assert.equal(told.totalSize, 5);
  assert.equal(told.done, true);
  assert.deepEqual(told.records.map((row) => row.attributes.type), Array(5).fill("Account"));
  assert.match(told.records[0].attributes.url, /\/services\/data\/v66\.0\/sobjects\/Account\/001\w{15}$/);
});

test("pages are turned to the end, each row once", async () => {
  const soql = "SELECT Id FROM Lead ORDER BY Id";
  const headers = { "Sforce-Query-Options": "batchSize=200" };
  let page = await conn.query(soql, { headers });
  const total = page.totalSize;
  const rows = [...page.records];
  while (!page.done) {
    page = await conn.queryMore(page.nextRecordsUrl, { headers });
    rows.push(...page.records);
  }
  assert.equal(rows.length, total);
  assert.deepEqual(ids(rows), ids(leads));
});

test("parents come along as objects, children as results of their own", async () => {
  const [deal] = await every(
    "SELECT Id, Account.Name, Owner.Name, (SELECT Id, ContactId FROM OpportunityContactRoles) FROM Opportunity WHERE AccountId != null LIMIT 1",
  );
  assert.equal(typeof deal.Account.Name, "string");
  assert.equal(deal.Account.attributes.type, "Account");
  assert.ok(deal.OpportunityContactRoles === null || deal.OpportunityContactRoles.records.length > 0);
});

test("counts and groups are computed by the org", async () => {
  const { totalSize } = await conn.query("SELECT COUNT() FROM Lead");
  assert.equal(totalSize, leads.length);
  const groups = await every("SELECT Status, COUNT(Id) amount FROM Lead GROUP BY Status");
  assert.equal(groups.reduce((sum, group) => sum + group.amount, 0), leads.length);
});

test("jsforce's own conditions find what a filter finds", async () => {
  const found = await conn.sobject("Lead").find({ IsConverted: false, CreatedDate: { $gte: jsforce.SfDate.toDateTimeLiteral("2020-01-01T00:00:00Z") } }, ["Id"]);
  assert.deepEqual(ids(found), ids(open()));
});

test("an object describes its fields, and the org its objects", async () => {
  const lead = await conn.sobject("Lead").describe();
  const field = (name) => lead.fields.find((one) => one.name === name);
  assert.equal(lead.keyPrefix, "00Q");
  assert.equal(field("Id").type, "id");
  assert.deepEqual(field("OwnerId").referenceTo, ["Group", "User"]);
  assert.ok(field("Status").picklistValues.some((value) => value.defaultValue));
  assert.ok(lead.fields.some((one) => one.name.startsWith("Tandem_")));
  assert.ok((await conn.describeGlobal()).sobjects.some((one) => one.name === "Opportunity"));
});

test("one record is retrieved, several come in the order asked", async () => {
  const [one, other] = leads;
  assert.equal((await conn.sobject("Lead").retrieve(one.Id)).LastName, one.LastName);
  const both = await conn.sobject("Lead").retrieve([other.Id, one.Id]);
  assert.deepEqual(both.map((row) => row.Id), [other.Id, one.Id]);
});

test("a collection update answers row by row, and only the bad row fails", async () => {
  const [one, other] = open();
  const told = await conn.sobject("Lead").update([
    { Id: one.Id, Title: "Interop" },
    { Id: other.Id, Email: "no address" },
  ]);
  assert.deepEqual(told.map((row) => row.success), [true, false]);
  assert.equal(told[1].errors[0].statusCode, "INVALID_EMAIL_ADDRESS");
  assert.deepEqual(told[1].errors[0].fields, ["Email"]);
  assert.equal((await conn.sobject("Lead").retrieve(one.Id)).Title, "Interop");
});

test("all or none takes the good row back", async () => {
  const [one, other] = open();
  const told = await conn.sobject("Lead").update(
    [{ Id: one.Id, Title: "Taken back" }, { Id: other.Id, Email: "no address" }],
    { allOrNone: true },
  );
  assert.deepEqual(told.map((row) => row.success), [false, false]);
  assert.notEqual((await conn.sobject("Lead").retrieve(one.Id)).Title, "Taken back");
});

test("more than 200 rows are split by jsforce", async () => {
  const rows = Array.from({ length: 450 }, (_, index) => ({ LastName: `Interop ${index}`, Company: "Interop" }));
  const made = await conn.sobject("Lead").create(rows, { allowRecursive: true });
  assert.equal(made.filter((row) => row.success).length, 450);
  const gone = await conn.sobject("Lead").destroy(made.map((row) => row.id), { allowRecursive: true });
  assert.equal(gone.filter((row) => row.success).length, 450);
});

test("deleted rows are seen only when all are asked for", async () => {
  const made = await conn.sobject("Lead").create({ LastName: "Gone", Company: "Interop" });
  await conn.sobject("Lead").destroy(made.id);
  const soql = `SELECT Id, IsDeleted FROM Lead WHERE Id = '${made.id}'`;
  assert.equal((await conn.query(soql)).totalSize, 0);
  const told = await conn.query(soql, { scanAll: true });
  assert.equal(told.records[0].IsDeleted, true);
});

test("a new field is hidden until it is granted, and then it is a key to upsert by", async () => {
  const Metadata = { label: "Interop Key", type: "Text", length: 64, externalId: true, unique: true };
  await conn.tooling.sobject("CustomField").create({ FullName: "Lead.Interop_Key__c", Metadata });
  const upsert = (name) => conn.sobject("Lead").upsert(
    [{ Interop_Key__c: "k1", LastName: name, Company: "Interop" }], "Interop_Key__c",
  );
  await assert.rejects(upsert("Hidden"), (error) => error.errorCode === "NOT_FOUND");
  const { user_id: me } = await conn.identity();
  const Name = "Interop_Write";
  const { id: ParentId } = await conn.sobject("PermissionSet").create({ Name, Label: "Interop" });
  await conn.sobject("FieldPermissions").create({
    ParentId, SobjectType: "Lead", Field: "Lead.Interop_Key__c", PermissionsRead: true, PermissionsEdit: true,
  });
  await conn.sobject("PermissionSetAssignment").create({ AssigneeId: me, PermissionSetId: ParentId });
  const [[made], [kept]] = [await upsert("First"), await upsert("Second")];
  assert.deepEqual([made.created, kept.created, kept.id], [true, false, made.id]);
  assert.equal((await conn.sobject("Lead").retrieve(made.id)).LastName, "Second");
});

test("what was deleted or changed between two moments is told by id", async () => {
  const made = await conn.sobject("Lead").create({ LastName: "Gone too", Company: "Interop" });
  await conn.sobject("Lead").destroy(made.id);
  const now = Date.now();
  const between = [new Date(now - 3_600_000).toISOString(), new Date(now + 3_600_000).toISOString()];
  const gone = await conn.sobject("Lead").deleted(...between);
  assert.ok(gone.deletedRecords.some((row) => row.id === made.id && row.deletedDate));
  assert.ok((await conn.sobject("Lead").updated(...between)).ids.length > 0);
});

test("a bulk query gives the same rows as a query", async () => {
  const stream = await conn.bulk2.query("SELECT Id, LastName FROM Lead", POLL);
  const rows = await stream.toArray();
  const names = new Map((await every("SELECT Id, LastName FROM Lead")).map((row) => [row.Id, row.LastName]));
  assert.equal(rows.length, names.size);
  for (const row of rows) assert.equal(row.LastName, names.get(row.Id));
});

test("a bulk update tells which rows went in and why others did not", async () => {
  const [one, other] = open();
  const input = [
    { Id: one.Id, Description: 'two lines,\nand "quotes"', Title: "#N/A" },
    { Id: other.Id, Description: "", Title: "x".repeat(200) },
  ];
  const told = await conn.bulk2.loadAndWaitForResults({ object: "Lead", operation: "update", input, ...POLL });
  assert.deepEqual(told.successfulResults.map((row) => row.sf__Id), [one.Id]);
  assert.match(told.failedResults[0].sf__Error, /^STRING_TOO_LONG:/);
  assert.equal(told.unprocessedRecords.length, 0);
  const back = await conn.sobject("Lead").retrieve(one.Id);
  assert.equal(back.Description, 'two lines,\nand "quotes"');
  assert.equal(back.Title, null);
});

test("a bulk insert creates, and a bulk delete takes away", async () => {
  const input = [1, 2, 3].map((number) => ({ LastName: `Bulk ${number}`, Company: "Interop" }));
  const made = await conn.bulk2.loadAndWaitForResults({ object: "Lead", operation: "insert", input, ...POLL });
  assert.deepEqual(made.successfulResults.map((row) => row.sf__Created), ["true", "true", "true"]);
  const gone = await conn.bulk2.loadAndWaitForResults({
    object: "Lead", operation: "delete", input: made.successfulResults.map((row) => ({ Id: row.sf__Id })), ...POLL,
  });
  assert.equal(gone.successfulResults.length, 3);
});

test("wrong fields, objects and words are refused by name", async () => {
  const refused = (soql, code) =>
    assert.rejects(conn.query(soql), (error) => error.errorCode === code, `${soql} is no ${code}`);
  await refused("SELECT NoSuch FROM Lead", "INVALID_FIELD");
  await refused("SELECT Id FROM NoSuch", "INVALID_TYPE");
  await refused("SELECT Id FROM", "MALFORMED_QUERY");
  await assert.rejects(conn.sobject("Lead").retrieve("00Q000000000000AAA"), (error) => error.errorCode === "NOT_FOUND");
});

test("limits tell what is left of the day", async () => {
  const told = await conn.request(`/services/data/v${VERSION}/limits`);
  assert.ok(told.DailyApiRequests.Max > told.DailyApiRequests.Remaining);
  assert.ok(conn.limitInfo.apiUsage.used > 0);
});
