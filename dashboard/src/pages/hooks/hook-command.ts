/** A command that calls a hook. Pure. */
import type { Hook } from "causeway-mqtt/client";

/** @param url of the hook. Secrets are variables of the shell: the bridge does not return them. */
export function hookCommand(url: string, { methods, verify }: Pick<Hook, "methods" | "verify">): string {
  const method = methods.includes("POST") ? "POST" : methods[0]!;
  const hasBody = method !== "GET" && method !== "DELETE";
  const lines = [`curl -X ${method} '${url}'`];
  if (hasBody) lines.push("-H 'content-type: application/json'", '-d "$BODY"');
  const body = hasBody ? ['BODY=\'{"state":"on"}\''] : ['BODY=""'];
  switch (verify.type) {
    case "none":
      return [...(hasBody ? body : []), joined(lines)].join("\n");
    case "basic":
      return [...(hasBody ? body : []), joined([...lines, `-u '${verify.username ?? ""}':"$PASSWORD"`])].join("\n");
    case "gitlab":
      return [...(hasBody ? body : []), joined([...lines, '-H "x-gitlab-token: $SECRET"'])].join("\n");
    case "github":
      return signed(body, lines, { header: "x-hub-signature-256", algorithm: "sha256", prefix: "sha256=" });
    case "hmac": {
      const { header = "", algorithm = "sha256", prefix = "", encoding } = verify;
      return signed(body, lines, { header, algorithm, prefix, isBase64: encoding === "base64" });
    }
    default:
      return `# ${verify.type} also signs the time of the call: let the service send a test event.\n${joined(lines)}`;
  }
}

interface Signature {
  header: string;
  algorithm: string;
  prefix: string;
  isBase64?: boolean;
}

function signed(body: string[], lines: string[], { header, algorithm, prefix, isBase64 }: Signature): string {
  const digest = `printf %s "$BODY" | openssl dgst -${algorithm} -hmac "$SECRET"`;
  const sum = isBase64 ? `${digest} -binary | base64 -w0` : `${digest} | sed 's/^.* //'`;
  return [...body, `SIGNATURE=$(${sum})`, joined([...lines, `-H "${header}: ${prefix}$SIGNATURE"`])].join("\n");
}

function joined(lines: string[]): string {
  return lines.join(" \\\n  ");
}
