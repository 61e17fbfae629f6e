/** Pages whose calls are refused for other reasons: a missing right, an unknown record, too many calls, a fault. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { ALL_PAGES, type FaultyPages, startFaultyPages, WITHOUT_READ } from "./axe-faults.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";
import { REFUSALS, type Refusal } from "./call-faults.ts";

const READING = ALL_PAGES.filter((name) => name !== WITHOUT_READ);
const RECORDS = READING.filter((name) => /[A-Z]/.test(name));
/** The reasons by turns: each is met by several pages. */
const TURNS = [REFUSALS.right, REFUSALS.rate, REFUSALS.fault];
const CASES: [string, Refusal][] = [
  ...READING.map((name, i): [string, Refusal] => [name, TURNS[i % TURNS.length]!]),
  ...RECORDS.map((name): [string, Refusal] => [name, REFUSALS.record]),
];
/** The link beside the reason why a record is not shown. */
const TO_LIST = /^(?:All (?:webhooks|deliveries|hooks)|Show deliveries)$/;

describe("pages whose calls are refused", requireOrSkip("chromium"), () => {
  let pages: FaultyPages;
  before(async () => {
    pages = await startFaultyPages();
  });
  after(() => pages?.stop());

  CASES.forEach(([name, refusal], i) => {
    it(`/${name} with ${refusal.status}`, async () => {
      pages.faults.refuse(refusal);
      await pages.open(name);
      const { page } = pages.window;
      const isMissingMessage = refusal === REFUSALS.record && name.startsWith("messages/");
      const reason = isMissingMessage ? "There is nothing with this id." : refusal.detail;
      await page.getByText(reason).first().waitFor();
      if (!isMissingMessage) await page.getByText(`code ${refusal.code}`).first().waitFor();
      if (refusal === REFUSALS.record) {
        const list = page.getByRole("main").getByRole("link", { name: TO_LIST });
        assert.equal(await list.count(), 1, "it leads to the list of such records");
      }
      const looks = [TWO_LOOKS[i % 2]!];
      assert.deepEqual(await look(pages.window, `${name} with ${refusal.status}`, looks), []);
    });
  });

  it("reads a form, which is read once, again after the wait that the bridge asks for", async () => {
    pages.faults.refuse({ ...REFUSALS.rate, headers: { "retry-after": "1" } });
    await pages.open("webhooks/WEBHOOK/edit");
    const { page } = pages.window;
    await page.getByText(REFUSALS.rate.detail).waitFor();
    await pages.faults.pass();
    await page.getByRole("heading", { level: 1, name: "Edit Greenhouse readings" }).waitFor();
  });

  it("no page breaks its content security policy", () => assert.deepEqual(pages.window.violations, []));
});
