import { Page } from "../../components/page.tsx";

export default function EditWebhook() {
  return <Page title="EditWebhook" />;
}
