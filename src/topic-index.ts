/**
 * Index of values by topic filter: a trie with one node for each level. Matching a topic visits only the nodes whose
 * filters can match it, and none below the longest filter, however many levels the topic has.
 */
import { isReserved, overlaps } from "./topic.ts";

interface Node<T> {
  /** Nodes of the next level by its name; `+` is a name like any other, which no topic has. */
  levels: Map<string, Node<T>>;
  /** Values of the filter that ends here. */
  values: T[];
  /** Values of the filter that continues with `#`, which also matches this level (MQTT 5 section 4.7.1.2). */
  subtree: T[];
}

const createNode = <T>(): Node<T> => ({ levels: new Map(), values: [], subtree: [] });

export class TopicIndex<T> {
  readonly #root = createNode<T>();

  /** @param filter a valid topic filter; it may be added several times */
  add(filter: string, value: T): void {
    let node = this.#root;
    const { levels, list } = split(filter);
    for (const level of levels) {
      const next = node.levels.get(level) ?? createNode<T>();
      node.levels.set(level, next);
      node = next;
    }
    node[list].push(value);
  }

  /** Removes the value once, and the nodes that become empty. */
  remove(filter: string, value: T): void {
    const { levels, list } = split(filter);
    const path: Node<T>[] = [this.#root];
    for (const level of levels) {
      const next = path.at(-1)!.levels.get(level);
      if (!next) return;
      path.push(next);
    }
    const values = path.at(-1)![list];
    const at = values.lastIndexOf(value);
    if (at >= 0) values.splice(at, 1);
    for (let i = levels.length; i > 0 && isEmpty(path[i]!); i--) path[i - 1]!.levels.delete(levels[i - 1]!);
  }

  /** Returns the values of all filters that match the topic name, in no particular order. */
  match(topic: string): T[] {
    const found: T[] = [];
    collect(this.#root, topic, 0, isReserved(topic), found);
    return found;
  }

  /**
   * Whether the check passes for a value of some filter that agrees with this one in each level that both have, apart
   * from wildcards. It is not called for all values if it passes.
   */
  someAlike(filter: string, check: (value: T) => boolean): boolean {
    const { levels, list } = split(filter);
    return someBelow(this.#root, levels, 0, list === "subtree", check);
  }
}

/** Filters in which those that overlap another one are found without a look at all of them. */
export class OverlapIndex {
  readonly #filters = new TopicIndex<string>();

  /** @param filter a valid topic filter */
  add(filter: string): void {
    this.#filters.add(filter, filter);
  }

  /** Whether a filter of the index overlaps this valid filter, and passes the check. */
  some(filter: string, check: (other: string) => boolean = () => true): boolean {
    return this.#filters.someAlike(filter, (other) => overlaps(other, filter) && check(other));
  }
}

/** Builds a check whether one of these valid filters matches a valid topic name; made once for many names. */
export function matcher(filters: readonly string[]): (topic: string) => boolean {
  const index = new TopicIndex<true>();
  for (const filter of filters) index.add(filter, true);
  return (topic) => index.match(topic).length > 0;
}

function split(filter: string): { levels: string[]; list: "values" | "subtree" } {
  const levels = filter.split("/");
  if (levels.at(-1) !== "#") return { levels, list: "values" };
  levels.pop();
  return { levels, list: "subtree" };
}

function isEmpty<T>({ levels, values, subtree }: Node<T>): boolean {
  return levels.size === 0 && values.length === 0 && subtree.length === 0;
}

/**
 * @param at start of the next level; beyond the end if there are no more levels
 * @param literal whether wildcards do not match the next level: the first one of a `$` topic [MQTT-4.7.2-1]
 */
function collect<T>(node: Node<T>, topic: string, at: number, literal: boolean, found: T[]): void {
  if (!literal) for (const value of node.subtree) found.push(value);
  if (at > topic.length) {
    for (const value of node.values) found.push(value);
    return;
  }
  if (node.levels.size === 0) return;
  const slash = topic.indexOf("/", at);
  const end = slash === -1 ? topic.length : slash;
  const named = node.levels.get(topic.slice(at, end));
  if (named) collect(named, topic, end + 1, false, found);
  const any = literal ? undefined : node.levels.get("+");
  if (any) collect(any, topic, end + 1, false, found);
}

/** @param at index of the next level @param hasHash whether `#` follows the levels */
function someBelow<T>(
  node: Node<T>,
  levels: readonly string[],
  at: number,
  hasHash: boolean,
  check: (value: T) => boolean,
): boolean {
  if (node.subtree.some(check)) return true;
  const isBelow = at >= levels.length;
  if (isBelow && node.values.some(check)) return true;
  if (isBelow && !hasHash) return false;
  const level = isBelow ? "+" : levels[at]!;
  const nodes = level === "+" ? node.levels.values() : [node.levels.get(level), node.levels.get("+")];
  for (const next of nodes) {
    if (next && someBelow(next, levels, at + 1, hasHash, check)) return true;
  }
  return false;
}
