/** No connection to the broker: it is away, or refuses the devices. */
export class BrokerError extends Error {
  constructor(
    message: string,
    /** Whether the broker refused the credentials. */
    readonly isUnauthorized: boolean,
  ) {
    super(message);
  }
}
