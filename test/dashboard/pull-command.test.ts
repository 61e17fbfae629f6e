/** Commands on the page of a pull webhook. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { pullCommands } from "../../dashboard/src/pages/webhooks/detail/pull-command.ts";

it("the commands name the bridge, the webhook and its topics, quoted for a shell", () => {
  const { curl, listen } = pullCommands("https://example.com/iot/", { id: "wh_1", topics: ["a/+", "b's/#"] });
  assert.match(
    curl,
    /^curl 'https:\/\/example\.com\/iot\/v1\/webhooks\/wh_1\/pull' \\\n {2}-H "authorization: Bearer \$/m,
  );
  assert.match(curl, /wh_1\/ack'/);
  assert.equal(listen, "causeway listen --topic 'a/+' --topic 'b'\\''s/#' --bridge 'https://example.com/iot'");
});
