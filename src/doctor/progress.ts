/** The line at the end of a terminal that says what is being waited for. */
export interface Progress {
  on(subject: string): void;
  off(): void;
}

const everyMs = 1_000;

/** @param write null: there is no terminal */
export function createProgress(write: ((text: string) => void) | null): Progress {
  let ticking: NodeJS.Timeout | undefined;
  const off = (): void => {
    if (ticking === undefined) return;
    clearInterval(ticking);
    ticking = undefined;
    write?.('\r\u001B[2K');
  };
  return {
    off,
    on: (subject) => {
      off();
      if (write === null) return;
      let seconds = 0;
      const say = (): void => write(`\r\u001B[2K…     ${subject}${seconds > 0 ? ` (${seconds} s)` : ''}`);
      say();
      ticking = setInterval(() => {
        seconds += 1;
        say();
      }, everyMs);
    },
  };
}
