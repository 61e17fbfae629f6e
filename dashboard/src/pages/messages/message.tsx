import { Page } from "../../components/page.tsx";

export default function MessagePage() {
  return <Page title="MessagePage" />;
}
