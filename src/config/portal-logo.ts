/** The image of PORTAL_LOGO. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Mistakes, type Raw, rolesOf } from "./variables.ts";

export interface PortalLogo {
  /** Absolute. */
  readonly path: string;
  readonly mediaType: "image/svg+xml" | "image/png";
  readonly base64: string;
}

/** The pages show it with a height of 24 pixels. */
const MAX_BYTES = 64 * 1024;
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** The root element, after a declaration, comments and a document type. */
const SVG = /^\uFEFF?\s*(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]/i;

/** Reads the image, in a process that serves the dashboard. */
export function readPortalLogo(raw: Raw, mistakes: Mistakes): PortalLogo | undefined {
  if (!raw.PORTAL_LOGO || !rolesOf(raw.ROLES).includes("api")) return undefined;
  const path = resolve(raw.PORTAL_LOGO);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    mistakes.set("PORTAL_LOGO", `cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
  if (bytes.length > MAX_BYTES) {
    mistakes.set("PORTAL_LOGO", `must be at most ${MAX_BYTES / 1024} KiB`);
    return undefined;
  }
  const mediaType = mediaTypeOf(bytes);
  if (mediaType) return { path, mediaType, base64: bytes.toString("base64") };
  mistakes.set("PORTAL_LOGO", "must be an SVG or PNG file");
  return undefined;
}

function mediaTypeOf(bytes: Buffer): PortalLogo["mediaType"] | undefined {
  if (bytes.subarray(0, PNG.length).equals(PNG)) return "image/png";
  return SVG.test(bytes.toString("utf8")) ? "image/svg+xml" : undefined;
}
