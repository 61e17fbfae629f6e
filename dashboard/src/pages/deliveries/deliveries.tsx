import { Page } from "../../components/page.tsx";

export default function Deliveries() {
  return <Page title="Deliveries" />;
}
