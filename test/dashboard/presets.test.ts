/** Presets in the form: the registration of a filled form is that of the preset. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CLEARED,
  draftOfPreset,
  isAnswered,
  isUnfilled,
  PLAIN,
} from "../../dashboard/src/pages/webhooks/form/apply-preset.ts";
import { EMPTY, inputOf, NO_AUTH } from "../../dashboard/src/pages/webhooks/form/draft.ts";
import { PRESETS, webhookOf } from "../../src/presets/index.ts";
import { examplesOf, presetOf } from "../presets/messages.ts";

describe("presets in the form", () => {
  for (const preset of PRESETS) {
    it(`${preset.title}: registers what the preset says`, () => {
      const examples = examplesOf(preset);
      const draft = { ...EMPTY, topics: "plant/+/alarms", ...draftOfPreset(preset, examples) };
      assert.deepEqual(inputOf(draft), { topics: ["plant/+/alarms"], ...webhookOf(preset, examples) });
      assert.equal(isAnswered(preset, examples), true);
      assert.equal(isAnswered(preset, {}), false);
    });

    it(`${preset.title}: leaves nothing when another one is chosen`, () => {
      const draft = { ...EMPTY, ...draftOfPreset(preset, examplesOf(preset)), ...CLEARED, ...draftOfPreset(PLAIN, {}) };
      assert.deepEqual(draft, EMPTY);
    });
  }

  it("keeps an input that is missing visible, but not in the place of a whole URL", () => {
    const { url } = draftOfPreset(presetOf("telegram"), {});
    assert.equal(url, "https://api.telegram.org/bot{{token}}/sendMessage");
    assert.equal(isUnfilled(url!), true);
    assert.equal(draftOfPreset(presetOf("slack"), {}).url, "");
  });

  it("keeps fields that the preset does not set while it is answered", () => {
    assert.equal("filter" in draftOfPreset(presetOf("slack"), {}), false);
    assert.equal("url" in draftOfPreset(PLAIN, {}), false);
  });

  it("removes optional credentials again", () => {
    const ntfy = presetOf("ntfy");
    assert.deepEqual(draftOfPreset(ntfy, { token: "tk" }).auth, { ...NO_AUTH, type: "bearer", token: "tk" });
    assert.deepEqual(draftOfPreset(ntfy, { token: "" }).auth, NO_AUTH);
  });
});
