/** Configuration files: what is read, and the errors that name file, document and field. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DocumentError, readDocuments } from "../../src/configuration/documents.ts";
import { temporaryDirectory } from "../support/directories.ts";

const ENV = { TOKEN: "t0ken" };

function write(text: string, name = "config.yaml", folder = temporaryDirectory("documents")): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("configuration documents", () => {
  it("are read from files and folders, in order", () => {
    const folder = temporaryDirectory("documents");
    mkdirSync(join(folder, "more"));
    write("kind: Webhook\nexternalId: b\n---\nkind: Webhook\nid: wh_1\n", "b.yml", folder);
    write('{"kind": "Key", "name": "k"}', "a.json", folder);
    write("kind: Webhook\nexternalId: c\n---\n", join("more", "c.yaml"), folder);
    write("not: read", "notes.txt", folder);
    const documents = readDocuments([folder], ENV);
    assert.deepEqual(
      documents.map(({ kind, identity }) => `${kind} ${identity}`),
      ["Key k", "Webhook b", "Webhook wh_1", "Webhook c"],
    );
  });

  it("are not read twice from a volume of Kubernetes", () => {
    const folder = temporaryDirectory("documents");
    mkdirSync(join(folder, "..2026_01_01"));
    write("kind: Key\nname: k", join("..2026_01_01", "a.yaml"), folder);
    symlinkSync("..2026_01_01", join(folder, "..data"));
    symlinkSync(join("..data", "a.yaml"), join(folder, "a.yaml"));
    assert.equal(readDocuments([folder], ENV).length, 1);
  });

  it("have references to the environment and to files", () => {
    const folder = temporaryDirectory("documents");
    write("s3cret\n", "secret", folder);
    const text = `kind: Webhook\nexternalId: a\nheaders: {X: "Bearer \${env:TOKEN}"}\ntopics: ["\${file:secret}"]`;
    const [document] = readDocuments([write(text, "a.yaml", folder)], ENV);
    assert.deepEqual(document!.fields, { externalId: "a", headers: { X: "Bearer t0ken" }, topics: ["s3cret"] });
  });

  const refused: [title: string, text: string, message: RegExp][] = [
    ["of an unknown kind", "kind: Other\nname: a", /document 1: kind must be Webhook, Hook or Key$/],
    ["without an identity", "kind: Webhook\nurl: x", /document 1: externalId or id is required$/],
    ["that is no object", "kind: Key\nname: a\n---\n- 1", /document 2: must be an object/],
    ["twice", "kind: Key\nname: a\n---\nkind: Key\nname: a", /document 2: Key a is also in .*document 1$/],
    ["with an alias without an anchor", "kind: Key\nname: *none", /document 1: Unresolved alias/],
    ["that is no YAML", "kind: [", /document 1: /],
    ["with an absent variable", `kind: Key\nname: a\nread: ['\${env:NONE}']`, /read\[0\]: .* NONE is not set$/],
    [
      "with an absent file",
      `kind: Key\nname: a\nx: {y: '\${file:/no/such}'}`,
      /x\.y: \/no\/such cannot be read \(ENOENT\)$/,
    ],
  ];
  for (const [title, text, message] of refused) {
    it(`are refused ${title}`, () => {
      assert.throws(
        () => readDocuments([write(text)], ENV),
        (error: Error) => {
          assert.ok(error instanceof DocumentError);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it("are refused in a file that cannot be read", () => {
    assert.throws(() => readDocuments(["/no/such/file"], ENV), /cannot be read \(ENOENT\)/);
  });
});
