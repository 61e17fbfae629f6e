/** The sectors in which people talk: chat, notifications, messenger. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { SimulatedClient, SimulatedMessage } from "../../../src/simulate/model.ts";
import { chat } from "../../../src/simulate/sectors/chat.ts";
import { messenger } from "../../../src/simulate/sectors/messenger.ts";
import { notifications } from "../../../src/simulate/sectors/notifications.ts";
import { clientsOf, jsonOn, NOW, on, send } from "../support.ts";

describe("simulated people in a chat", () => {
  const ROOM = "chat/rooms/lobby/messages";
  let people: SimulatedClient[];
  beforeEach(async () => {
    people = await clientsOf(chat, { devices: 3 });
  });
  const say = (message: unknown) => people.flatMap((each) => send(each, ROOM, message));

  it("answer once, the person who is named", () => {
    const answer = jsonOn(say({ id: "1", from: "max", text: "ping @ben" }), ROOM);
    assert.deepEqual([answer.from, answer.text, answer.replyTo], ["ben", "pong", "1"]);
  });

  it("answer once when no person is named, also a plain text", () => {
    for (const text of ["hello", "anyone there?"]) {
      assert.ok(jsonOn(say({ from: "max", text }), ROOM).text);
      assert.ok(jsonOn(say(text), ROOM).text);
    }
  });

  it("type before they answer", () => {
    const typing = say("hello").filter(({ topic }) => topic === "chat/rooms/lobby/typing");
    assert.deepEqual(
      typing.map(({ payload }) => JSON.parse(payload.toString()).typing),
      [true, false],
    );
    assert.ok((typing[1]!.delayMs ?? 0) > 0);
  });

  it("do not answer each other, or nothing", () => {
    for (const message of people[0]!.tick(NOW)) assert.deepEqual(say(message.payload.toString()), []);
    assert.deepEqual(say({ from: "max" }), []);
  });

  it("answer in another room there, and a direct message directly", () => {
    const replies = people.flatMap((each) => send(each, "chat/rooms/kitchen/messages", "hello"));
    assert.ok(jsonOn(replies, "chat/rooms/kitchen/messages"));
    const direct = send(people[0]!, "chat/users/ada/messages", { id: "2", from: "max", text: "hello" });
    assert.equal(jsonOn(direct, "chat/users/max/messages").replyTo, "2");
  });

  it("have a presence, with a will", () => {
    assert.equal(on(people[0]!.connected(NOW), "chat/users/ada/presence").payload, "online");
    assert.deepEqual([people[0]!.will!().payload, people[0]!.will!().retain], ["offline", true]);
  });
});

describe("a simulated phone with notifications", () => {
  let phone: SimulatedClient;
  beforeEach(async () => {
    [phone] = (await clientsOf(notifications)) as [SimulatedClient];
  });
  const notify = (id: string, extra: object = {}) =>
    send(phone, "users/user-1/notifications", { id, title: "Hello", ...extra });
  const receipt = (messages: SimulatedMessage[]) => {
    const { id, status } = jsonOn(messages, "users/user-1/receipts");
    return [id, status];
  };

  it("sends receipts when it shows a notification and when it is read", () => {
    assert.deepEqual(receipt(notify("1")), ["1", "delivered"]);
    assert.deepEqual(receipt(phone.tick(NOW)), ["1", "read"]);
    assert.equal(jsonOn(phone.tick(NOW), "users/user-1/state").unread, 0);
  });

  it("shows a repeated notification once", () => {
    notify("1");
    assert.deepEqual(receipt(notify("1")), ["1", "duplicate"]);
    assert.equal(jsonOn(phone.connected(NOW), "users/user-1/state").unread, 1);
  });

  it("takes notifications for all users", () => {
    const messages = send(phone, "users/all/notifications", { id: "1", title: "Hello" });
    assert.deepEqual(receipt(messages), ["1", "delivered"]);
  });

  it("lets its user read only urgent ones while asked not to disturb", () => {
    assert.equal(
      jsonOn(send(phone, "users/user-1/settings", { doNotDisturb: true }), "users/user-1/state").doNotDisturb,
      true,
    );
    notify("1");
    notify("2", { priority: "high" });
    assert.deepEqual(receipt(phone.tick(NOW)), ["2", "read"]);
    assert.equal(jsonOn(phone.tick(NOW), "users/user-1/state").unread, 1);
  });

  it("rejects a notification without a title, an unknown priority and invalid settings", () => {
    assert.deepEqual(receipt(send(phone, "users/user-1/notifications", { id: "1" })), ["1", "rejected"]);
    assert.deepEqual(receipt(notify("1", { priority: "max" })), ["1", "rejected"]);
    assert.deepEqual(receipt(send(phone, "users/user-1/notifications", "hello")), [null, "rejected"]);
    assert.deepEqual(receipt(send(phone, "users/user-1/settings", { doNotDisturb: "yes" })), [null, "rejected"]);
  });
});

describe("a simulated support desk on Messenger", () => {
  let agents: SimulatedClient[];
  beforeEach(async () => {
    agents = await clientsOf(messenger, { devices: 2 });
  });
  const event = (mid: string, text: string, extra: object = {}) => ({
    sender: { id: "4711" },
    recipient: { id: "99" },
    timestamp: 1,
    message: { mid, text, ...extra },
  });
  const incoming = (payload: unknown, topic = "messenger/4711/incoming") =>
    agents.flatMap((agent) => send(agent, topic, payload));
  const text = (messages: SimulatedMessage[]) => jsonOn(messages, "messenger/4711/outgoing").message.text;

  it("answers as the Send API takes it, by one agent", () => {
    assert.deepEqual(jsonOn(incoming(event("m1", "where is my parcel?")), "messenger/4711/outgoing"), {
      recipient: { id: "4711" },
      messaging_type: "RESPONSE",
      message: { text: "Hello, this is ben. You wrote: where is my parcel?" },
    });
    assert.equal(text(incoming(event("m2", "thanks"))), "You are welcome!");
  });

  it("reads the body of a webhook call with several entries", () => {
    const body = { object: "page", entry: [{ messaging: [event("m1", "a")] }, { messaging: [event("m2", "b")] }] };
    assert.equal(incoming(body, "messenger/events").length, 2);
  });

  it("answers a postback, and an event that Meta repeats once", () => {
    const { message: _, ...postback } = { ...event("", ""), postback: { mid: "m3", payload: "GET_STARTED" } };
    assert.match(text(incoming(postback)), /How can I help you/);
    assert.deepEqual(incoming(postback), []);
  });

  it("ignores echoes, receipts and senders that are no ids", () => {
    assert.deepEqual(incoming(event("m4", "a", { is_echo: true })), []);
    assert.deepEqual(incoming({ sender: { id: "4711" }, delivery: { watermark: 1 } }), []);
    assert.deepEqual(incoming({ ...event("m5", "a"), sender: { id: "a/+/b" } }), []);
  });

  it("keeps an answer within the limit of the Send API", () => {
    assert.equal(text(incoming(event("m6", "x".repeat(5_000)))).length, 2_000);
  });
});
