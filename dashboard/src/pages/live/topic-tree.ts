/** The tree of topics that messages arrived on: how many, how fast, and the last value. Bounded. Pure. */

/** Nodes of a tree. Messages on further topics are counted at their nearest node. */
export const MAX_NODES = 5_000;

export interface TopicNode {
  readonly level: string;
  readonly path: string;
  readonly depth: number;
  readonly children: Map<string, TopicNode>;
  /** Messages on this topic and below. */
  count: number;
  /** Messages a second, on this topic and below. */
  rate: number;
  /** The beginning of the last payload on this very topic. */
  last: string | undefined;
  /** `count` at the last {@link TopicTree.tick}. */
  counted: number;
  /** The children in order; undefined until they are shown, and after a new one. */
  sorted: TopicNode[] | undefined;
}

export class TopicTree {
  readonly root: TopicNode = nodeOf("", "", -1);
  /** Messages whose topic is not in the tree because it is full. */
  leftOut = 0;
  #size = 0;

  constructor(private readonly maxNodes = MAX_NODES) {}

  get size(): number {
    return this.#size;
  }

  /** @param preview the beginning of the payload */
  add(topic: string, preview: string): void {
    let node = this.root;
    node.count++;
    let start = 0;
    for (;;) {
      const slash = topic.indexOf("/", start);
      const level = slash === -1 ? topic.slice(start) : topic.slice(start, slash);
      let child = node.children.get(level);
      if (!child) {
        if (this.#size >= this.maxNodes) {
          this.leftOut++;
          return;
        }
        child = nodeOf(level, slash === -1 ? topic : topic.slice(0, slash), node.depth + 1);
        node.children.set(level, child);
        node.sorted = undefined;
        this.#size++;
      }
      child.count++;
      node = child;
      if (slash === -1) break;
      start = slash + 1;
    }
    node.last = preview;
  }

  /** Computes the rates. @param seconds since the last call */
  tick(seconds: number): void {
    visit(this.root, (node) => {
      const current = (node.count - node.counted) / seconds;
      // Half of the old rate: steady figures for devices that publish every few seconds.
      const before = node.counted === 0 ? current : node.rate;
      node.rate = current === 0 && before < 0.05 ? 0 : (current + before) / 2;
      node.counted = node.count;
    });
  }

  /**
   * Returns the rows that are shown.
   * @param toggled paths that the reader folded or unfolded: the first levels are unfolded by themselves
   */
  rows(toggled: ReadonlySet<string>): TopicNode[] {
    const rows: TopicNode[] = [];
    const collect = (node: TopicNode) => {
      node.sorted ??= [...node.children.values()].sort(byLevel);
      for (const child of node.sorted) {
        rows.push(child);
        if (isUnfolded(child, toggled)) collect(child);
      }
    };
    collect(this.root);
    return rows;
  }
}

const UNFOLDED_DEPTH = 4;
/** A node with more children stays folded until the reader unfolds it. */
const UNFOLDED_CHILDREN = 20;

export function isUnfolded(node: TopicNode, toggled: ReadonlySet<string>): boolean {
  const byItself = node.depth < UNFOLDED_DEPTH && node.children.size <= UNFOLDED_CHILDREN;
  return byItself !== toggled.has(node.path);
}

/** Whether a topic is the branch itself or below it. */
export function isInBranch(topic: string, branch: string): boolean {
  return topic.startsWith(branch) && (topic.length === branch.length || topic[branch.length] === "/");
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

function byLevel(a: TopicNode, b: TopicNode): number {
  return COLLATOR.compare(a.level, b.level);
}

function nodeOf(level: string, path: string, depth: number): TopicNode {
  return { level, path, depth, children: new Map(), count: 0, rate: 0, last: undefined, counted: 0, sorted: undefined };
}

function visit(node: TopicNode, act: (node: TopicNode) => void): void {
  act(node);
  for (const child of node.children.values()) visit(child, act);
}
