/** The other pages for users. */
import { testPages } from "./commands.ts";

testPages("others");
