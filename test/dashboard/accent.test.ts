/** The colour of portal sessions: readable in both themes, whatever it is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accentOf, contrast, rgbOf } from "../../dashboard/src/data/accent.ts";
import fc from "../support/property.ts";

const parts = (value: string) => [...value.matchAll(/#[\da-f]{6}/g)].map(([hex]) => rgbOf(hex));

describe("the accent of a portal session", () => {
  it("stays as it is where it is readable", () => {
    assert.match(accentOf("#1d4ed8")["--accent"], /^light-dark\(#1d4ed8, #/);
    assert.match(accentOf("#8ab4ff")["--accent"], /, #8ab4ff\)$/);
  });

  it("has a contrast of 4.5 on every background, for every colour", () => {
    const colour = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, "0")}`);
    fc.assert(
      fc.property(colour, (given) => {
        const accent = accentOf(given);
        const [surfaces, texts, quiets] = [
          [
            ["#ffffff", "#f7f8fa", "#eef0f3"],
            ["#0f1216", "#171b21", "#0a0c0f"],
          ],
          parts(accent["--accent-text"]),
          parts(accent["--accent-quiet"]),
        ] as const;
        parts(accent["--accent"]).forEach((shown, theme) => {
          for (const other of [...surfaces[theme]!.map(rgbOf), texts[theme]!, quiets[theme]!]) {
            assert.ok(contrast(shown, other) >= 4.5, `${given}: ${JSON.stringify(accent)} in theme ${theme}`);
          }
        });
      }),
    );
  });
});
