/**
 * A strict reader of line protocol, written from its reference and not from the preset.
 * https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
 */
import assert from "node:assert/strict";

type FieldValue = string | boolean | { float: number } | { integer: bigint };

export interface Point {
  measurement: string;
  tags: Record<string, string>;
  fields: Record<string, FieldValue>;
  timestamp?: bigint;
}

/** "Line protocol does not support the newline character in tag or field values", so a line is a point. */
export function readLines(text: string): Point[] {
  return text.split(/\r?\n/).flatMap((line) => (line === "" || line.startsWith("#") ? [] : [readLine(line)]));
}

const [COMMA, SPACE, EQUALS] = [",", " ", "="];

function readLine(line: string): Point {
  let at = 0;
  /** Reads up to an unescaped delimiter. A backslash escapes the characters that are special there. */
  const readName = (delimiters: string[], special: string[]): string => {
    let name = "";
    for (; at < line.length && !delimiters.includes(line[at]!); at++) {
      if (line[at] === "\\" && special.includes(line[at + 1] ?? "")) at++;
      name += line[at];
    }
    return name;
  };
  const expect = (character: string) => assert.equal(line[at++], character, `${line} at ${at - 1}`);
  const inKeys = [COMMA, EQUALS, SPACE];

  const measurement = readName([COMMA, SPACE], [COMMA, SPACE]);
  checkName(measurement);
  const tags: Point["tags"] = {};
  while (line[at] === COMMA) {
    at++;
    const key = readName(inKeys, inKeys);
    expect(EQUALS);
    const value = readName(inKeys, inKeys);
    checkName(key);
    assert.ok(value !== "", "tag values cannot be empty");
    assert.ok(!(key in tags), `the tag ${key} is there twice`);
    tags[key] = value;
  }
  expect(SPACE);
  const fields: Point["fields"] = {};
  do {
    const key = readName(inKeys, inKeys);
    expect(EQUALS);
    checkName(key);
    assert.ok(!(key in tags), `${key} is a tag and a field`);
    fields[key] = readValue();
  } while (line[at] === COMMA && at++ > 0);
  const point: Point = { measurement, tags, fields };
  if (at === line.length) return point;
  expect(SPACE);
  const timestamp = line.slice(at);
  assert.match(timestamp, /^-?\d+$/);
  return { ...point, timestamp: int64(timestamp) };

  function readValue(): FieldValue {
    if (line[at] === '"') {
      let text = "";
      for (at++; line[at] !== '"'; at++) {
        assert.ok(at < line.length, "a string that does not end");
        if (line[at] === "\\" && ['"', "\\"].includes(line[at + 1] ?? "")) at++;
        text += line[at];
      }
      at++;
      assert.ok(Buffer.byteLength(text) <= 65_536, "strings have at most 64 KB");
      return text;
    }
    const literal = readName([COMMA, SPACE], []);
    if (/^(?:t|T|true|True|TRUE)$/.test(literal)) return true;
    if (/^(?:f|F|false|False|FALSE)$/.test(literal)) return false;
    if (/^-?\d+i$/.test(literal)) return { integer: int64(literal.slice(0, -1)) };
    if (/^\d+u$/.test(literal)) return { integer: BigInt.asUintN(64, BigInt(literal.slice(0, -1))) };
    assert.match(literal, /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/);
    return { float: Number(literal) };
  }
}

/** Naming restrictions of the reference. */
function checkName(name: string): void {
  assert.ok(name !== "" && !name.startsWith("_") && name !== "time", `${name} is no name`);
  // A newline would end the line; the others cannot be typed in a query.
  for (const character of name) assert.ok(character >= " " && character !== "\u007f", JSON.stringify(name));
}

function int64(digits: string): bigint {
  const value = BigInt(digits);
  assert.equal(BigInt.asIntN(64, value), value, `${digits} is out of range`);
  return value;
}
