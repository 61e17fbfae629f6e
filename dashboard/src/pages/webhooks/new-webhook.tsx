import { Page } from "../../components/page.tsx";

export default function NewWebhook() {
  return <Page title="NewWebhook" />;
}
