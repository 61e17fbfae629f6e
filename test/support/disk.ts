/** A small disk that a test can fill: a separate tmpfs. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./directories.ts";

export interface SmallDisk {
  readonly directory: string;
  /** Fills the disk to the last byte. */
  fill(): void;
  /** Frees the space again. */
  free(): void;
  /** Unmounts the disk and discards its content. Idempotent. */
  unmount(): void;
}

/** Prefix for users other than root, who can mount if `sudo` asks for no password. */
const AS_ROOT = process.getuid?.() === 0 ? [] : ["sudo", "-n"];

function asRoot(...args: string[]): void {
  const [program, ...rest] = [...AS_ROOT, ...args];
  execFileSync(program!, rest, { stdio: ["ignore", "ignore", "pipe"] });
}

export function makeSmallDisk(megabytes: number): SmallDisk {
  const directory = temporaryDirectory("disk");
  asRoot("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory);
  let mounted = true;
  const unmount = () => {
    if (mounted) asRoot("umount", "-l", directory);
    mounted = false;
  };
  process.once("exit", unmount);
  const ballast = join(directory, "ballast");
  return {
    directory,
    fill() {
      const file = openSync(ballast, "w");
      const { bsize } = statfsSync(directory);
      try {
        for (let bytes = 1024 * bsize; bytes >= bsize; ) {
          try {
            if (writeSync(file, Buffer.alloc(bytes, 1)) < bytes) bytes /= 2;
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
            bytes /= 2;
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast),
    unmount,
  };
}

/** Returns options for `it` or `describe` that skip, with the reason, where no disk can be mounted; root in CI must. */
export function smallDiskOrSkip(): { skip: string | false } {
  try {
    makeSmallDisk(1).unmount();
    return { skip: false };
  } catch (error) {
    if (process.env.CI && AS_ROOT.length === 0) throw error;
    return { skip: "a tmpfs cannot be mounted: it takes root" };
  }
}
