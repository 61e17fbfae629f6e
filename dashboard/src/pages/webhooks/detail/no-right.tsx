import { Page } from "../../../components/page.tsx";
import { pathTo } from "../../../data/address.ts";

/** For addresses of pages that the key may not see. */
export function NoRight({ title }: { title: string }) {
  return (
    <Page title={title} lead="This key may not do that.">
      <div class="empty">
        Creating and changing webhooks needs a key with the scope webhooks.
        <a class="button" href={pathTo("webhooks")}>
          See the webhooks
        </a>
      </div>
    </Page>
  );
}
