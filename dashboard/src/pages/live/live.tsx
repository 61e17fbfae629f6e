import { Page } from "../../components/page.tsx";

export default function Live() {
  return <Page title="Live" />;
}
