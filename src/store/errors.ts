import { CannotStartError } from "../errors.ts";

/** The store cannot be opened as configured; the message states the reason and the remedy. Exit code 78. */
export class StoreConfigError extends CannotStartError {
  override name = "StoreConfigError";
}
