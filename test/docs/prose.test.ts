/** The documentation is complete, its links resolve, and its English is plain. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { rules } from "../../src/config/variables.ts";
import { catalogue } from "../../src/errors.ts";
import { addGauges, createMetrics } from "../../src/ops/metrics.ts";
import { markdownFiles, ROOT, read } from "./pages.ts";

const README_LINES = 250;

describe("links in Markdown files", () => {
  for (const path of markdownFiles()) {
    it(path, () => {
      const broken = linksOf(read(path)).filter((link) => !resolves(path, link));
      assert.deepEqual(broken, []);
    });
  }
});

describe("the documentation is complete", () => {
  it("docs/configuration.md has every variable", () => {
    const described = firstCells(read("docs/configuration.md"));
    assert.deepEqual(described.sort(), Object.keys(rules).sort());
  });

  it("docs/errors.md has every problem code, with its status", () => {
    const rows = [...read("docs/errors.md").matchAll(/^\| `(\w+)` +\| (\d{3}) /gm)];
    const described = rows.map(([, code, status]) => [code, Number(status)]);
    const known = Object.entries(catalogue).map(([code, [status]]) => [code, status]);
    assert.deepEqual(described.sort(), known.sort());
  });

  it("docs/operations.md has every metric", async () => {
    const metrics = createMetrics();
    const nothing = { waiting: [], uplinkPending: 0, outboxWaiting: 0, up: {}, webhooks: 0, failing: 0 };
    addGauges(metrics, async () => ({ ...nothing, books: undefined }));
    const names = [...(await metrics.registry.metrics()).matchAll(/^# HELP (causeway_\w+)/gm)].map(([, name]) => name!);
    assert.ok(names.length > 20);
    const page = read("docs/operations.md");
    const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page));
    assert.deepEqual(missing, []);
  });

  it(`README.md has at most ${README_LINES} lines and links every page, the recipes through their list`, () => {
    assert.ok(read("README.md").trimEnd().split("\n").length <= README_LINES);
    const linked = new Set(
      ["README.md", "docs/recipes/README.md"].flatMap((path) =>
        linksOf(read(path)).map((link) => normalize(join(dirname(path), link.split("#")[0]!))),
      ),
    );
    const missing = markdownFiles().filter((path) => path !== "README.md" && !linked.has(path));
    assert.deepEqual(missing, []);
  });
});

describe("source files named in the documentation", () => {
  for (const path of ["docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md"]) {
    it(`of ${path} exist`, () => {
      const named = read(path).match(/(?:[a-z-]+\/)+[\w.-]+\.ts\b/g) ?? [];
      const missing = named.filter((file) => !existsSync(join(ROOT, file)) && !existsSync(join(ROOT, "src", file)));
      assert.deepEqual([...new Set(missing)], []);
    });
  }
});

describe("the English of the documentation", () => {
  const ODD = [
    /(?:^|[.:;] |\| |- |\*\* )(?:What|Of|Those|Whoever|That which)\b[^\n]{0,60}/gm,
    /\b(?:nobody|somebody|whoever)\b[^\n]{0,40}/gi,
  ];
  for (const path of markdownFiles()) {
    it(`${path} has no sentence that opens with What, Of, Those or Whoever, and names its subjects`, () => {
      const measured = /<!-- measured[\s\S]*<!-- \/measured -->/;
      const prose = read(path)
        .replace(measured, "")
        .replace(/^```[\s\S]*?^```$/gm, "");
      assert.deepEqual(
        ODD.flatMap((pattern) => prose.match(pattern) ?? []),
        [],
      );
    });
  }
});

/** Links to other files and anchors, without those to the web. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "").replace(/`[^`\n]*`/g, "");
  const inline = [...prose.matchAll(/\]\(([^)\s]+)\)/g)];
  const definitions = [...prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)];
  return [...inline, ...definitions].map(([, target]) => target!).filter((target) => !/^\w+:/.test(target));
}

function resolves(from: string, link: string): boolean {
  const [file, anchor] = link.split("#");
  const path = file ? normalize(join(dirname(from), decodeURI(file))) : from;
  if (!existsSync(join(ROOT, path))) return false;
  return anchor === undefined || anchorsOf(read(path)).has(anchor);
}

/** As GitHub makes them: lower case, punctuation dropped, blanks as hyphens, repeated ones numbered. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, "");
  for (const [, heading] of prose.matchAll(/^#{1,6} (.+)$/gm)) {
    const text = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Names in code marks that begin a row of a table. */
function firstCells(markdown: string): string[] {
  return [...markdown.matchAll(/^\| `([A-Z_]+)` +\|/gm)].map(([, name]) => name!);
}
