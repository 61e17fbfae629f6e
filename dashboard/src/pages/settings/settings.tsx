import { Page } from "../../components/page.tsx";

export default function Settings() {
  return <Page title="Settings" />;
}
