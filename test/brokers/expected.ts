const TAKE_OVER = "Two instances, `kill -9` of the one that receives: the other one takes over within 10 s";

/**
 * Expected results per broker: the exact texts that the scenarios return. Any other behaviour of a broker, worse or
 * better, fails the test.
 */
const USUAL: Record<string, string> = {
  "The bridge connects with MQTT": "3.1.1",
  "`POST /v1/messages` with QoS 0, a device gets it": "`sent`",
  "`POST /v1/messages` with QoS 1, a device gets it": "`acknowledged`",
  "`POST /v1/messages` with QoS 2, a device gets it": "`acknowledged`",
  "Nobody subscribes: `noMatchingSubscribers`": "`null`",
  "`POST /v1/requests`, answered on the response topic of MQTT 5": "`504 request_timeout`",
};

const EXCEPTIONS: Record<string, Record<string, string>> = {
  "mosquitto-5": {
    "The bridge connects with MQTT": "5",
    "Nobody subscribes: `noMatchingSubscribers`": "`true`",
    "`POST /v1/requests`, answered on the response topic of MQTT 5": "yes",
  },
  "mosquitto-3.1.1": { "The bridge connects with MQTT": "3.1.1 (set)" },
  rabbitmq: {
    "Device publishes with QoS 2, a webhook gets it": "yes, as QoS 1",
    "Topics with dots, spaces, letters beyond ASCII": "`odd/a.b` comes as `odd/a/b`; `odd/a*b>c` comes as `odd/a+b>c`",
    "`POST /v1/messages` with QoS 2, a device gets it": "`acknowledged`, as QoS 1",
    "`GET /v1/topics?filter=` lists retained topics": "an empty list with wildcards; exact topics only",
    '`retained: "deliver"` on a filter with wildcards': "nothing comes",
    [TAKE_OVER]: "yes, with QoS 2 like QoS 1",
  },
  activemq: {},
  // Mosca sends retained messages without the retain flag, like new ones.
  mosca: {
    "Device publishes with QoS 0, a webhook gets it": "yes, as QoS 1",
    "Device publishes with QoS 2, a webhook gets it":
      "the broker never completes the device's publish; the webhook gets it all the same",
    "Wildcards `+` and `#`, empty levels": "`wild/+/x` misses `wild//x`; `wild/a/+` misses `wild/a/`",
    "`POST /v1/messages` with QoS 0, a device gets it": "`sent`, as QoS 1",
    "`POST /v1/messages` with QoS 2, a device gets it": "`504 broker_timeout`; the device gets it all the same",
    "`PUT` and `GET /v1/topics/{topic}` (retained), `DELETE` clears it": "reading answers `404 no_retained_message`",
    "`GET /v1/topics?filter=` lists retained topics": "an empty list",
    '`retained: "deliver"` on a topic': "nothing comes",
    '`retained: "deliver"` on a filter with wildcards': "nothing comes",
    [TAKE_OVER]: "yes, with QoS 2 like QoS 1",
  },
  embedded: {
    ...Object.fromEntries(
      [
        "Messages published while the bridge is stopped come after its start",
        "The same with `kill -9` of the bridge amid messages",
        "The broker is restarted: the bridge connects and subscribes again",
      ].map((title) => [title, "the broker ends with the bridge"]),
    ),
    [TAKE_OVER]: "one process has the broker and the store",
  },
};

/** @param id id of the broker kind */
export function expected(id: string, title: string): string {
  return EXCEPTIONS[id]?.[title] ?? USUAL[title] ?? "yes";
}

/** Returns expected titles that no scenario has, whose expectations would never be checked. */
export function unknownTitles(titles: string[]): string[] {
  const named = [USUAL, ...Object.values(EXCEPTIONS)].flatMap((table) => Object.keys(table));
  return [...new Set(named)].filter((title) => !titles.includes(title));
}
