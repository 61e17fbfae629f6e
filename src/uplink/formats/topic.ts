/** Topics of Sparkplug (section 4): `spBv1.0/group/type/node[/device]`. Pure. */

const PREFIX = "spBv1.0/";
/** With the device that a device's message needs, and a node's must not have. */
const LEVELS: Record<string, number> = {
  NBIRTH: 4,
  NDATA: 4,
  NCMD: 4,
  NDEATH: 4,
  DBIRTH: 5,
  DDATA: 5,
  DCMD: 5,
  DDEATH: 5,
};

export interface SparkplugTopic {
  type: string;
  /** `group/node` or `group/node/device`: who announces metrics. */
  source: string;
}

/** Returns undefined for any other topic. */
export function sparkplugTopic(topic: string): SparkplugTopic | undefined {
  if (!topic.startsWith(PREFIX)) return undefined;
  const levels = topic.split("/");
  const [, group, type, ...rest] = levels;
  if (LEVELS[type!] !== levels.length) return undefined;
  return { type: type!, source: [group, ...rest].join("/") };
}

/** Whether the topic holds the state of a host application, which is JSON or text. */
export function isState(topic: string): boolean {
  return topic.startsWith(`${PREFIX}STATE/`) || topic.startsWith("STATE/");
}
