import { Copy } from "../../../components/copy.tsx";

/** A signing secret, which is shown once. */
export function Secret({ secret }: { secret: string }) {
  return (
    <>
      <div class="notice retrying">
        <strong>This is the only time it is shown.</strong>
        <span>The bridge keeps it encrypted and returns it to no one. If it is lost, rotate it.</span>
      </div>
      <div class="row">
        <code class="secret" data-testid="secret">
          {secret}
        </code>
        <Copy text={secret} label="Copy the secret" />
      </div>
    </>
  );
}
