/** Loaded into a process (`NODE_OPTIONS=--import`), whose clock is then CHAOS_CLOCK_MS ahead of the machine's. */
const ahead = Number(process.env.CHAOS_CLOCK_MS ?? 0);
const { now } = Date;
const origin = performance.timeOrigin;

class ShiftedDate extends Date {
  constructor(...parts) {
    if (parts.length === 0) super(now() + ahead);
    else super(...parts);
  }

  static now() {
    return now() + ahead;
  }
}

globalThis.Date = ShiftedDate;
Object.defineProperty(performance, 'timeOrigin', { value: origin + ahead });
