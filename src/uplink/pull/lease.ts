/** A delivery that a consumer holds, by the token of its lease. */
export interface DeliveryLease {
  messageId: string;
  leaseToken: string;
}
