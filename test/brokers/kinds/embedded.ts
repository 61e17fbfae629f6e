import type { BrokerKind } from "./kind.ts";

export const embedded: BrokerKind = {
  id: "embedded",
  title: "embedded",
  protocol: "3.1.1",
  bridge: {},
  missing: () => [],
};
