/**
 * SSRF guard: decides which addresses a webhook may call. It checks three times: at registration (the URL), before
 * every call (IP literals, which are not looked up) and when a socket is opened (the addresses to which the name
 * resolves at that moment, against DNS rebinding).
 */
import { type LookupAddress, type LookupAllOptions, type LookupOptions, lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { withDeadline } from "../../lib/deadline.ts";
import { specialRule } from "./blocked-networks.ts";
import { holds, type Ip, parseAddress, parseNetwork } from "./ip-address.ts";

/** Reason why a URL cannot be registered. `code` is from the catalogue in errors.ts. */
export interface UrlRefusal {
  code: "invalid_url" | "blocked_address";
  message: string;
}

export interface AddressGuard {
  /** Returns the rule that blocks an address, e.g. `loopback 127.0.0.0/8, RFC 1122`; undefined when allowed. */
  check(ip: string): string | undefined;
  /** Checks a webhook's URL without DNS; undefined when it may be registered. */
  checkUrl(url: string): UrlRefusal | undefined;
  /** As `checkUrl`, and refuses a name that resolves to blocked addresses only. A name that does not resolve passes. */
  checkUrlResolved(url: string): Promise<UrlRefusal | undefined>;
  /** For `net.connect`: yields allowed addresses only; fails with {@link BlockedAddressError} when all are blocked. */
  lookup: LookupFunction;
}

type ResolveAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface AddressGuardOptions {
  /** Networks that the operator allows: CIDRs or single addresses. */
  allow: readonly string[];
  /** Replaces `dns.lookup` in tests. */
  resolve?: ResolveAll;
  /** Milliseconds that {@link AddressGuard.checkUrlResolved} waits for DNS before it lets the URL pass. */
  resolveTimeoutMs?: number;
}

export class BlockedAddressError extends Error {
  readonly code = "EBLOCKED";
  constructor(
    /** The name and the address it resolved to. */
    readonly host: string,
    /** Rule as returned by {@link AddressGuard.check}. */
    readonly rule: string,
  ) {
    super(refusal(host, rule));
    this.name = "BlockedAddressError";
  }
}

function refusal(host: string, rule: string): string {
  return `${host} is not allowed (${rule}): webhooks may call globally reachable addresses only, WEBHOOK_ALLOW_NETWORKS opens others`;
}

/** Creates an address guard. Throws when a network in `allow` cannot be parsed. */
export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const allow = options.allow.map((cidr) => parseNetwork(cidr));
  const resolve = shareLookups(options.resolve ?? systemLookup);

  const opened = (one: Ip) => allow.some((network) => holds(network, one));

  function check(ip: string): string | undefined {
    const address = parseAddress(ip);
    if (!address) return "not an IP address";
    if (opened(address.ip)) return undefined;
    const rule = specialRule(address.ip);
    if (rule !== undefined) return rule;
    // A global address needs no interface: naming one is an attempt to bypass routing.
    if (ip.includes("%")) return "zone id on a global address, RFC 4007";
    const { carried } = address;
    if (!carried || opened(carried.v4)) return undefined;
    const inner = specialRule(carried.v4);
    return inner && `${inner}, carried by ${carried.by}`;
  }

  function checkUrl(text: string): UrlRefusal | undefined {
    const url = readUrl(text);
    if ("code" in url) return url;
    const literal = ipLiteral(url.hostname);
    const rule = literal === undefined ? nameRule(url.hostname) : check(literal);
    return rule === undefined ? undefined : { code: "blocked_address", message: refusal(url.hostname, rule) };
  }

  /** RFC 6761 section 6.3: localhost and its subdomains are loopback, whatever DNS returns. */
  function nameRule(hostname: string): string | undefined {
    if (!/(^|\.)localhost\.*$/i.test(hostname)) return undefined;
    const rule = check("127.0.0.1");
    return rule !== undefined && check("::1") !== undefined ? rule : undefined;
  }

  async function checkUrlResolved(text: string): Promise<UrlRefusal | undefined> {
    const refused = checkUrl(text);
    if (refused) return refused;
    const { hostname } = new URL(text);
    if (ipLiteral(hostname) !== undefined) return undefined;
    const resolved = new Promise<UrlRefusal | undefined>((done) => {
      lookup(hostname, { all: true }, (error) => {
        done(error instanceof BlockedAddressError ? { code: "blocked_address", message: error.message } : undefined);
      });
    });
    const late = () => new Error("DNS did not answer in time");
    return withDeadline(resolved, options.resolveTimeoutMs ?? 2_000, late).catch(() => undefined);
  }

  const lookup: LookupFunction = (hostname, { all, family, hints }, callback) => {
    resolve(hostname, { all: true, family, hints }, (error, found) => {
      if (error) return callback(error, all ? [] : "");
      const allowed = found.filter(({ address }) => check(address) === undefined);
      const [first] = allowed;
      if (first) return all ? callback(null, allowed) : callback(null, first.address, first.family);
      const blocked = found[0]?.address;
      if (blocked !== undefined) {
        return callback(new BlockedAddressError(`${hostname} → ${blocked}`, check(blocked) ?? ""), all ? [] : "");
      }
      callback(Object.assign(new Error(`${hostname} has no address`), { code: "ENOTFOUND" }), all ? [] : "");
    });
  };

  return { check, checkUrl, checkUrlResolved, lookup };
}

/** Returns the IP address in a WHATWG `URL.hostname`, without brackets; undefined for a name. */
export function ipLiteral(hostname: string): string | undefined {
  if (hostname.startsWith("[")) return hostname.slice(1, -1);
  return isIP(hostname) ? hostname : undefined;
}

/**
 * Parses a URL as WHATWG specifies, so that 0x7f.1, 2130706433, 0177.0.0.1 and １２７.0.0.1 all become 127.0.0.1. The
 * sender uses the same parser, so a URL cannot mean different addresses here and there.
 */
function readUrl(text: string): URL | UrlRefusal {
  const invalid = (message: string): UrlRefusal => ({ code: "invalid_url", message });
  if (/[\s\p{Cc}]/u.test(text)) return invalid("must not contain spaces or control characters");
  if (!/^https?:\/\//i.test(text)) return invalid("must begin with http:// or https://");
  if (!URL.canParse(text)) return invalid("must be a URL with a host, such as https://example.com/hook");
  const url = new URL(text);
  if (url.username || url.password) return invalid("must not contain a user name or password: use auth or headers");
  if (text.includes("#")) return invalid("must not contain a fragment (#…): it would never be sent");
  if (url.port === "0") return invalid("must not use port 0");
  if (/^\.|\.\.|^$/.test(url.hostname)) return invalid("must have a host without empty labels");
  return url;
}

/**
 * Shares one look-up per name among concurrent callers. `dns.lookup` blocks one of the few threads of the pool: ten
 * connections to one name on a dead DNS server would otherwise delay the look-ups of all other webhooks.
 */
function shareLookups(resolve: ResolveAll): ResolveAll {
  const waiting = new Map<string, Parameters<ResolveAll>[2][]>();
  return (hostname, options, callback) => {
    const key = lookupKey(hostname, options);
    const others = waiting.get(key);
    if (others) {
      others.push(callback);
      return;
    }
    const callbacks = [callback];
    waiting.set(key, callbacks);
    resolve(hostname, options, (error, addresses) => {
      waiting.delete(key);
      for (const each of callbacks) each(error, addresses);
    });
  };
}

function lookupKey(hostname: string, { family = 0, hints = 0 }: LookupOptions): string {
  return `${hostname} ${family} ${hints}`;
}
