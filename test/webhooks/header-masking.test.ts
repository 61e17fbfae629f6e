/** Masks of header values: which names are masked, and which masks may be sent back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCredentials, isMask, MASK, maskHeaders, unmaskHeaders } from "../../src/webhooks/header-masking.ts";
import { faultsOf } from "./support.ts";

const MASKED = [
  ...["Authorization", "X-Auth", "Proxy-Authorization", "Cookie", "Set-Cookie", "credentials", "X-API-KEY", "apikey"],
  ...["password", "X-Passwd", "Client-Secret", "Session-Id", "Signature", "X-Hub-Signature-256", "x-token", "TOKEN"],
  // The match is deliberately wide: a masked name costs less than a shown credential.
  "Monkey",
];
const SHOWN = ["X-Tenant", "Content-Language", "Accept", "X-Request-Id", "User-Agent", "X-Pass", "ke-y", "tok"];

describe("the mask of a header", () => {
  for (const name of MASKED) {
    it(`hides ${name}`, () => {
      assert.deepEqual(maskHeaders({ [name]: "value" }), { [name]: MASK });
      assert.ok(hasCredentials({ "X-Tenant": "7", [name]: "value" }));
    });
  }
  for (const name of SHOWN) {
    it(`does not hide ${name}`, () => {
      assert.deepEqual(maskHeaders({ [name]: "value" }), { [name]: "value" });
      assert.equal(hasCredentials({ [name]: "value" }), false);
    });
  }

  it("hides also an empty value, and keeps names and order", () => {
    const masked = maskHeaders({ b: "1", "x-Key": "", a: "2" });
    assert.deepEqual(Object.entries(masked), [
      ["b", "1"],
      ["x-Key", MASK],
      ["a", "2"],
    ]);
    assert.equal(hasCredentials({}), false);
  });

  const masks: [reason: string, name: string, value: string, is: boolean][] = [
    ["is recognised under a credential's name", "X-Api-Key", MASK, true],
    ["is a value like any other under a plain name", "X-Tenant", MASK, false],
    ["has no asterisk less", "X-Api-Key", MASK.slice(1), false],
    ["has no asterisk more", "X-Api-Key", `${MASK}*`, false],
    ["has no space", "X-Api-Key", `${MASK} `, false],
  ];
  for (const [reason, name, value, is] of masks) it(reason, () => assert.equal(isMask(name, value), is));
});

describe("headers that are sent back", () => {
  type Headers = Record<string, string>;
  const current = { "X-Api-Key": "secret", "X-Tenant": "7" };
  const kept: [reason: string, given: Headers, then: Headers][] = [
    ["keep the value of a mask", { "X-Api-Key": MASK }, { "X-Api-Key": "secret" }],
    ["keep it under a name in other letters, with the new name", { "x-api-key": MASK }, { "x-api-key": "secret" }],
    ["replace the value by a new one", { "X-Api-Key": "new" }, { "X-Api-Key": "new" }],
    ["remove a header that is left out", { "X-Tenant": "8" }, { "X-Tenant": "8" }],
    ["remove all headers", {}, {}],
    ["set asterisks under a plain name", { "X-Tenant": MASK }, { "X-Tenant": MASK }],
    ["keep an empty value", { "X-Token": MASK }, { "X-Token": "" }],
  ];
  for (const [reason, given, then] of kept) {
    it(reason, () => assert.deepEqual(unmaskHeaders(given, { ...current, "X-Token": "" }), then));
  }

  const refused: [reason: string, given: Headers, ...faults: string[]][] = [
    ["are refused with a mask of nothing", { "X-Token": MASK }, "invalid_request", "headers.X-Token"],
    [
      "are refused with every such mask",
      { a_key: MASK, "X-Api-Key": MASK, b_key: MASK },
      "invalid_request",
      "headers.a_key",
      "headers.b_key",
    ],
    ["are accepted without a mask", { "X-Token": "t" }],
  ];
  for (const [reason, given, ...faults] of refused) {
    it(reason, () =>
      assert.deepEqual(
        faultsOf(() => unmaskHeaders(given, current)),
        faults,
      ),
    );
  }
});
