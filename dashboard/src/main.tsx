import { render } from "preact";
import { App } from "./app.tsx";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/components.css";
import { takePortalToken } from "./data/portal.ts";
import { startTheme } from "./data/theme.ts";

takePortalToken();
startTheme();
render(<App />, document.getElementById("app")!);
