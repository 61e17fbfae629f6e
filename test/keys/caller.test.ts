import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Caller, checkPublish, checkPublishAll, checkRead, ROOT, SCOPES } from "../../src/keys/caller.ts";

const limited: Caller = {
  id: "key_1",
  may: () => false,
  mayPublish: (topic) => topic === "mine",
  mayPublishAll: (filter) => filter === "mine",
  mayRead: (filter) => filter === "mine/#",
  take: () => undefined,
};

describe("the checks of a caller", () => {
  it("name the topic and the field in a refusal", () => {
    assert.equal(checkPublish(limited, "mine", "topic"), undefined);
    const publish = checkPublish(limited, "yours", "messages[1].topic");
    const message = "the key may not publish to yours";
    assert.deepEqual([publish?.code, publish?.detail], ["forbidden_topic", message]);
    assert.deepEqual(publish?.errors, [{ path: "messages[1].topic", message }]);

    assert.equal(checkPublishAll(limited, "mine", "replyTopic"), undefined);
    assert.equal(checkPublishAll(limited, "#", "replyTopic")?.detail, "the key may not publish to #");

    assert.equal(checkRead(limited, "mine/#", "topic"), undefined);
    const read = checkRead(limited, "#", "topics[0]");
    assert.deepEqual([read?.code, read?.detail], ["forbidden_topic", "the key may not read #"]);
    assert.equal(read?.errors?.[0]?.path, "topics[0]");
  });

  it("allow the first key everything", () => {
    for (const scope of SCOPES) assert.ok(ROOT.may(scope));
    assert.equal(checkPublish(ROOT, "$SYS/a", "topic"), undefined);
    assert.equal(checkRead(ROOT, "#", "topic"), undefined);
  });
});
