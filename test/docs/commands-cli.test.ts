/** The page about the program `causeway`. */
import { testPages } from "./commands.ts";

testPages("cli");
