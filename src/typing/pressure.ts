/**
 * How far behind this process is. Beyond what the machine can do typing is shed first: renewals, then first shows; hides
 * and messages never.
 */
export interface Pressure {
  /** So late is what this process does now (ms). */
  lateMs(): number;
  /** Renewals wait. */
  isBusy(): boolean;
  /** First shows are left out, and no connection is held longer than it must. */
  isHurried(): boolean;
  /** Resolves when the worst is over, after 3 s at most. */
  calm(): Promise<void>;
  /**
   * A push has come. In a crowd of them it resolves when the typing of those that came with it has been taken up, after
   * 400 ms at most: nobody's typing waits for the bot of another. null: there is none, or it goes on for long.
   */
  crowd(): Promise<void> | null;
  close(): void;
}

const look = 100;
/** What is remembered of the last looks, for a burst comes in waves. */
const looks = 5;
const busy = 500;
const hurried = 1_500;
const longestWait = 3_000;
/** So many pushes within so long (ms) are a crowd, until none has come for a while. */
const crowdOf = 16;
const crowdWithin = 50;
const crowdGone = 15;
const longestCrowd = 400;
/** What is a crowd all the time is no crowd: only one in so long (ms) is waited for. */
const betweenCrowds = 5_000;

interface PressureOptions {
  /** ms, from wherever; fractions are welcome. @default this process's own */
  now?: () => number;
  /** How many events nobody has taken up yet. @default it is not known */
  waiting?: () => Promise<number>;
}

export function createPressure(options: PressureOptions = {}): Pressure {
  const { now = () => performance.now(), waiting = async () => 0 } = options;
  let lookedAt = now();
  let recent: number[] = [];
  const timer = setInterval(() => {
    const at = now();
    recent = [...recent, Math.max(0, at - lookedAt - look)].slice(-looks);
    lookedAt = at;
  }, look);
  timer.unref();
  const current = (): number => Math.max(0, now() - lookedAt - look);
  const lateMs = (): number => Math.max(current(), recent.at(-1) ?? 0);
  const worst = (): number => Math.max(current(), ...recent);
  const waitWhile = async (
    isSo: () => boolean,
    { every, most }: { every: number; most: number },
  ): Promise<void> => {
    const until = now() + most;
    do await new Promise((resolve) => setTimeout(resolve, every));
    while (isSo() && now() < until);
  };
  let came = { count: 0, since: 0, last: 0 };
  let thinning: Promise<void> | null = null;
  let thinnedAt = -Infinity;
  let asked: Promise<number> | null = null;
  let left = 0;
  /** Redis may say nothing for a while: what it said last counts. */
  const isThick = (): boolean => {
    asked ??= waiting()
      .then((count) => (left = count))
      .catch(() => (left = 0))
      .finally(() => (asked = null));
    return now() - came.last < crowdGone || left > crowdOf;
  };
  const thin = async (): Promise<void> => {
    left = Infinity;
    await waitWhile(isThick, { every: crowdGone, most: longestCrowd });
    thinning = null;
    thinnedAt = now();
  };
  return {
    lateMs,
    isBusy: () => worst() > busy,
    isHurried: () => worst() > hurried,
    calm: () => waitWhile(() => worst() > busy, { every: look, most: longestWait }),
    crowd: () => {
      const at = now();
      const { count, since } = at - came.since > crowdWithin ? { count: 0, since: at } : came;
      came = { count: count + 1, since, last: at };
      if (came.count > crowdOf && at - thinnedAt > betweenCrowds) thinning ??= thin();
      return thinning;
    },
    close: () => clearInterval(timer),
  };
}
