/** The token of a portal link, which stands after `#` so that it is in no request line, log or Referer. */
import { BASE } from "./address.ts";

let token = "";

/** Takes the token out of the address, so that it is neither in the history nor sent by a reload. */
export function takePortalToken(): void {
  if (location.pathname !== `${BASE}portal`) return;
  token = location.hash.slice(1);
  history.replaceState(null, "", BASE);
}

/** The token that is not used yet; "" if the page was not opened by a link. */
export function portalToken(): string {
  return token;
}
