/** Every page whose calls wait or are refused: what it says in place of the data, and no violation of axe-core. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { ALL_PAGES, type FaultyPages, startFaultyPages, WITHOUT_READ } from "./axe-faults.ts";
import { look, TWO_LOOKS } from "./axe-walk.ts";
import { REFUSALS, type Refusal } from "./call-faults.ts";

/** These say in words that they wait: the form needs nothing to begin with, and a stream has no first response. */
const IN_WORDS: Record<string, string> = { [WITHOUT_READ]: "Name a topic filter", live: "Connecting" };

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

describe("pages without their data", requireOrSkip("chromium"), () => {
  let pages: FaultyPages;
  before(async () => {
    pages = await startFaultyPages();
  });
  after(() => pages?.stop());

  describe("while their calls wait", () => {
    before(async () => {
      pages.faults.hold();
      await pages.load("");
    });
    for (const name of ALL_PAGES) {
      it(`/${name}`, async () => {
        await pages.open(name);
        const { page } = pages.window;
        const words = IN_WORDS[name];
        await (words ? page.getByText(words) : page.getByRole("status", { name: "Loading" })).first().waitFor();
        assert.deepEqual(await look(pages.window, `${name} loading`, TWO_LOOKS), []);
      });
    }
  });

  describe("without the store", () => {
    before(async () => {
      await pages.faults.pass();
      pages.faults.refuse(REFUSALS.store);
      await pages.load("");
    });
    for (const name of ALL_PAGES) {
      it(`/${name}`, async () => {
        await pages.open(name);
        const { page } = pages.window;
        if (name === WITHOUT_READ) {
          await page.getByLabel("Topic filters").fill("pump/#");
          await page.getByLabel("URL", { exact: true }).fill("https://example.com/");
        }
        await page.getByRole("alert").filter({ hasText: "code store_unavailable" }).first().waitFor();
        if (name === WITHOUT_READ) await page.getByText("Which messages there are is unknown.").waitFor();
        // Another call of the page may still wait for its refusal.
        await page.getByText("Counting.").first().waitFor({ state: "detached" });
        const text = (await page.locator("main").textContent())!;
        assert.match(text, /The store does not respond\./);
        assert.doesNotMatch(
          text,
          /Counting\.|No message on|Loading/,
          "it claims nothing about data that it has not read",
        );
        assert.deepEqual(await look(pages.window, `${name} without the store`, TWO_LOOKS), []);
      });
    }
  });

  describe("whose calls are refused for another reason", () => {
    before(() => pages.load(""));
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
  });

  it("breaks no content security policy", () => assert.deepEqual(pages.window.violations, []));
});
