/** Certificates made with openssl, as users make them. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./directories.ts";
import { requireOrSkip } from "./requirements.ts";

export interface Certificate {
  /** PEM, like `key`. */
  cert: string;
  key: string;
}

export interface Authority extends Certificate {
  /** Issues a certificate for 127.0.0.1 and for client authentication. */
  issue(name: string): Certificate;
}

export const needsOpenssl = requireOrSkip("openssl");

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export function makeAuthority(name: string): Authority {
  const dir = temporaryDirectory("certificates");
  const path = (file: string) => join(dir, file);
  const read = (file: string) => readFileSync(path(file), "utf8");
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "ignore" });
  openssl("req", "-x509", ...EC, "-days", "2", "-subj", `/CN=${name}`, "-keyout", "ca.key", "-out", "ca.pem");
  let serial = 0;
  return {
    cert: read("ca.pem"),
    key: read("ca.key"),
    issue(subject) {
      const file = `${++serial}`;
      openssl("req", ...EC, "-subj", `/CN=${subject}`, "-keyout", `${file}.key`, "-out", `${file}.csr`);
      writeFileSync(path("ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
      const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", file, "-days", "2", "-extfile", "ext"];
      openssl("x509", "-req", "-in", `${file}.csr`, ...signed, "-out", `${file}.pem`);
      return { cert: read(`${file}.pem`), key: read(`${file}.key`) };
    },
  };
}
