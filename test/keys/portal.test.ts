/** Portal sessions over the real app: links that sign in once, with the rights of a key. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import request from "supertest";
import { PortalLinks } from "../../src/http/portal-links.ts";
import { MemoryExpiringKeys } from "../http/support.ts";
import { startTestKeys, type TestKeys } from "./support.ts";

let test: TestKeys;

const open = (portalToken: string, cookie = "") =>
  request(test.app.server).post("/v1/session").set({ cookie }).send({ portalToken });
const whoami = (cookie: string) => request(test.app.server).get("/v1/session").set({ cookie });
const cookiesOf = ({ headers }: request.Response) => headers["set-cookie"] as unknown as string[];

/** Creates a link and returns its token. */
async function link(keyId: string, ttlSeconds?: number): Promise<string> {
  const { status, body } = await test.api("POST", "/v1/portal-sessions", { keyId, ...(ttlSeconds && { ttlSeconds }) });
  assert.equal(status, 201, JSON.stringify(body));
  return /^http:\/\/127\.0\.0\.1:\d+\/portal#([\w-]{43})$/.exec(body.url)![1]!;
}

describe("a portal link", () => {
  beforeEach(async () => {
    test = await startTestKeys();
  });
  afterEach(() => test.close());

  it("signs in once, with the rights of its key and until its end", async () => {
    const { id } = await test.make({ name: "tenant", scopes: ["view"], publish: [], read: ["t/#"] });
    const token = await link(id, 900);
    test.clock.ms += 300_000;
    const opened = await open(token);
    assert.equal(opened.status, 204);
    const [cookie, ...more] = cookiesOf(opened);
    assert.match(cookie!, /^causeway_session=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Strict$/);
    assert.deepEqual(more, []);
    const { body } = await whoami(cookie!.split(";")[0]!);
    assert.deepEqual(body, {
      ...{ name: "tenant", scopes: ["view"], publish: [], read: ["t/#"] },
      expiresAt: new Date(test.clock.ms + 600_000).toISOString(),
    });
    const again = await open(token);
    assert.deepEqual([again.status, again.body.code, again.headers["set-cookie"]], [401, "unauthorized", undefined]);
    test.clock.ms += 600_000;
    assert.equal((await whoami(cookie!.split(";")[0]!)).status, 401);
  });

  it("shows the look of portal sessions in these only", async () => {
    test.portal.hasLogo = true;
    test.portal.accent = "#0a7d5c";
    const { id, key } = await test.make({ name: "tenant" });
    const [cookie] = cookiesOf(await open(await link(id)));
    const { body } = await whoami(cookie!.split(";")[0]!);
    assert.deepEqual(body.branding, { logo: "/portal/logo", accent: "#0a7d5c" });
    const signedIn = await request(test.app.server).post("/v1/session").send({ key });
    const own = await whoami(cookiesOf(signedIn)[0]!.split(";")[0]!);
    assert.deepEqual([own.body.name, own.body.branding], ["tenant", undefined]);
  });

  it("opens although the rate limit of its key is used up", async () => {
    const { id, key } = await test.make({ rateLimit: { max: 1, perSeconds: 3_600 } });
    const token = await link(id);
    assert.equal((await test.api("GET", "/v1/session", undefined, key)).status, 200);
    assert.equal((await test.api("GET", "/v1/session", undefined, key)).status, 429);
    assert.equal((await open(token)).status, 204);
  });

  it("opens for one of several at once", async () => {
    const { id } = await test.make({});
    const token = await link(id);
    const opened = await Promise.all([1, 2, 3, 4].map(() => open(token)));
    assert.deepEqual(opened.map(({ status }) => status).sort(), [204, 401, 401, 401]);
  });

  it("expires unused, and a look at its page does not use it up", async () => {
    const { id } = await test.make({});
    const token = await link(id, 60);
    await request(test.app.server).get("/portal");
    test.clock.ms += 60_000;
    assert.equal((await open(token)).status, 401);
  });

  it("ends with its key, opened or not", async () => {
    const { id } = await test.make({ expiresAt: new Date(test.clock.ms + 120_000).toISOString() });
    const [token, other] = [await link(id), await link(id)];
    const [cookie] = cookiesOf(await open(token));
    assert.match(cookie!, /Max-Age=120;/);
    await test.keys.remove(id);
    assert.equal((await whoami(cookie!.split(";")[0]!)).status, 401);
    assert.equal((await open(other)).status, 401);
    assert.equal((await test.api("POST", "/v1/portal-sessions", { keyId: id })).status, 404);
  });

  it("needs the scope admin, and is never one of the first key", async () => {
    const { id, key } = await test.make({ scopes: ["webhooks", "read", "publish", "view"] });
    const refused = await test.api("POST", "/v1/portal-sessions", { keyId: id }, key);
    assert.deepEqual([refused.status, refused.body.code], [403, "insufficient_scope"]);
    for (const keyId of ["root", "key_none"]) {
      assert.equal((await test.api("POST", "/v1/portal-sessions", { keyId })).status, 404, keyId);
    }
    for (const ttlSeconds of [59, 43_201, 1.5]) {
      assert.equal((await test.api("POST", "/v1/portal-sessions", { keyId: id, ttlSeconds })).status, 400);
    }
  });

  it("is in the store as a digest, and nowhere in the log", async () => {
    const { id } = await test.make({});
    const token = await link(id);
    await open(token);
    const kept = JSON.stringify([...test.expiringKeys.entries]);
    assert.match(kept, /portal-/);
    assert.ok(!kept.includes(token) && !test.logged.join().includes(token));
  });

  it("is not mixed with a key, and wrong ones are limited as wrong keys are", async () => {
    const both = await request(test.app.server).post("/v1/session").send({ key: "a", portalToken: "b" });
    assert.equal(both.status, 400);
    for (let i = 0; i < 10; i++) assert.equal((await open(`wrong ${i}`)).status, 401);
    assert.equal((await open("wrong")).status, 429);
  });
});

describe("with EMBED_ORIGINS, a portal link", () => {
  beforeEach(async () => {
    test = await startTestKeys(true);
  });
  afterEach(() => test.close());

  it("sets a partitioned cookie for frames too, which protects calls as the other one does", async () => {
    const { id } = await test.make({ name: "tenant" });
    const [own, framed] = cookiesOf(await open(await link(id)));
    assert.match(own!, /^causeway_session=.*SameSite=Strict$/);
    assert.match(
      framed!,
      /^causeway_portal=[\w-]{43}; Path=\/; Max-Age=3600; HttpOnly; SameSite=None; Secure; Partitioned$/,
    );
    const cookie = framed!.split(";")[0]!;
    assert.equal((await whoami(cookie)).body.name, "tenant");
    const call = request(test.app.server).post("/v1/messages").send({ topic: "a" });
    assert.equal((await call.set({ cookie })).body.code, "csrf_header_required");
    const out = await request(test.app.server).delete("/v1/session").set({ cookie, "x-causeway-request": "1" });
    assert.deepEqual(
      cookiesOf(out).map((header) => header.split("; ").slice(0, 3).join()),
      ["causeway_session=,Path=/,Max-Age=0", "causeway_portal=,Path=/,Max-Age=0"],
    );
    assert.equal((await whoami(cookie)).status, 401);
  });

  it("replaces another session of the browser, as a key does with its own", async () => {
    const [tenant, other] = [await test.make({ name: "tenant" }), await test.make({ name: "other" })];
    const signedIn = await request(test.app.server).post("/v1/session").send({ key: other.key });
    const [own, removed] = cookiesOf(signedIn);
    assert.match(removed!, /^causeway_portal=; Path=\/; Max-Age=0;/);
    const [, framed] = cookiesOf(await open(await link(tenant.id)));
    const both = [own, framed].map((header) => header!.split(";")[0]).join("; ");
    assert.equal((await whoami(both)).body.name, "tenant");
  });
});

it("a link of one instance opens at another, and only there", async () => {
  const expiringKeys = new MemoryExpiringKeys();
  const [one, two] = [new PortalLinks({ expiringKeys }), new PortalLinks({ expiringKeys })];
  const { token, expiresAt } = await one.create("key_1", 60);
  assert.deepEqual(await two.take(token), { keyId: "key_1", expiresAt });
  assert.equal(await one.take(token), undefined);
});
