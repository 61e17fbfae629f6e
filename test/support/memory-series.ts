/** Statistics of a store in memory. */
import type { Series } from "../../src/store/store.ts";

export class MemorySeries implements Series {
  /** Values by group, then by id and writer. */
  readonly groups = new Map<string, Map<string, string>>();
  /** Error of every write. */
  failure: Error | undefined;
  /** Called before a write takes place. */
  onPut: () => Promise<void> | void = () => undefined;

  async put(group: string, writer: string, values: readonly (readonly [string, string])[]): Promise<void> {
    await this.onPut();
    if (this.failure) throw this.failure;
    const found = this.groups.get(group) ?? new Map<string, string>();
    this.groups.set(group, found);
    for (const [id, value] of values) found.set(`${id} ${writer}`, value);
  }

  async of(id: string, groups: readonly string[]): Promise<string[][]> {
    return groups.map((group) =>
      [...(this.groups.get(group) ?? [])].filter(([key]) => key.startsWith(`${id} `)).map(([, value]) => value),
    );
  }

  async *all(group: string): AsyncGenerator<[string, string][]> {
    yield [...(this.groups.get(group) ?? [])].map(([key, value]) => [key.split(" ")[0]!, value]);
  }
}
