import { Page } from "../components/page.tsx";
import { pathTo } from "../data/address.ts";

export function NotFound() {
  return (
    <Page title="Not found" lead="There is no page at this address.">
      <p>
        <a href={pathTo("")}>Go to the overview</a>
      </p>
    </Page>
  );
}
