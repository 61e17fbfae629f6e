import { Page } from "../../components/page.tsx";

export default function WebhookPage() {
  return <Page title="WebhookPage" />;
}
