import { Page } from "../../components/page.tsx";

export default function Workbench() {
  return <Page title="Workbench" />;
}
