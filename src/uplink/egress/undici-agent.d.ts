/** The package describes only its index. */
declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}
