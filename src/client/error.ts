export type OrderName = 'start' | 'stop' | 'pause' | 'resume';

/** Why an order was not carried out, as far as the client knows. Handed to `onError`, never thrown. */
export class TypingError extends Error {
  override readonly name = 'TypingError';
  readonly order: OrderName;
  /** keeptyping's HTTP status; null: no answer came, or nothing was asked. */
  readonly status: number | null;

  constructor(order: OrderName, reason: string, from: { status?: number; cause?: unknown } = {}) {
    super(`${order} failed: ${reason}`, from.cause === undefined ? undefined : { cause: from.cause });
    this.order = order;
    this.status = from.status ?? null;
  }
}
