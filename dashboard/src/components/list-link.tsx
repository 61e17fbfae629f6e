import { pathTo } from "../data/address.ts";

const WORDS = { webhooks: "All webhooks", deliveries: "All deliveries", hooks: "All hooks" } as const;

/** Leads from a record that cannot be shown to the list of such records. */
export function ListLink({ to }: { to: keyof typeof WORDS }) {
  return (
    <a class="button" href={pathTo(to)}>
      {WORDS[to]}
    </a>
  );
}
