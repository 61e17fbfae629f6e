/** Errors with a meaning for the bridge: thrown by the application, or the reason why a call is refused. */

/** Thrown by `onMessage`: the bridge pauses the whole webhook and then repeats the call, which uses up no attempt. */
export class RetryLater extends Error {
  override readonly name = "RetryLater";

  /** @param seconds up to 24 hours; the bridge takes more for 24 hours */
  constructor(
    readonly seconds: number,
    message = `retry in ${seconds} s`,
  ) {
    super(message);
    if (!(seconds >= 0 && seconds < Infinity)) throw new RangeError("RetryLater needs a number of seconds");
  }
}

/** Thrown by `onMessage`: the bridge disables the webhook and keeps its deliveries. */
export class Gone extends Error {
  override readonly name = "Gone";

  constructor(message = "the receiver wants no more events") {
    super(message);
  }
}

/** A call that never reaches `onMessage`. The message is sent to the caller, so it holds nothing secret. */
export class RefusedCall extends Error {
  override readonly name = "RefusedCall";

  constructor(
    readonly status: 400 | 401 | 413,
    message: string,
  ) {
    super(message);
  }
}

/** A setup in which the signature cannot be verified, because other code has consumed the body. */
export class BodyAlreadyRead extends Error {
  override readonly name = "BodyAlreadyRead";

  constructor() {
    super(
      "A body parser has read the body, but the signature covers its raw bytes. Add the receiver's route before " +
        'express.json() and other parsers, or use express.raw({ type: () => true, limit: "32mb" }) on this route.',
    );
  }
}
