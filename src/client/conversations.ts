import type { Held } from './turns.ts';

/** One step at a time for each conversation, so that a stop never overtakes its start. */
export interface Conversations {
  /** Runs a step after the earlier ones of that conversation. It must never throw. */
  queue(path: string, step: Step): void;
  /** How many steps of that conversation have not ended. */
  waiting(path: string): number;
  /** Resolves when no step waits any more. */
  idle(): Promise<void>;
}

export type Step = (held: Held) => Promise<void>;

interface Line extends Held {
  waiting: number;
  last: Promise<void>;
}

export function createConversations(): Conversations {
  const lines = new Map<string, Line>();
  return {
    queue: (path, step) => {
      const line = lines.get(path) ?? {
        holders: new Set(),
        unsure: false,
        waiting: 0,
        last: Promise.resolve(),
      };
      lines.set(path, line);
      line.waiting += 1;
      line.last = follow(line, step).then(() => {
        // A quiet conversation leaves nothing behind.
        if (line.waiting === 0 && line.holders.size === 0) lines.delete(path);
        return;
      });
    },
    waiting: (path) => lines.get(path)?.waiting ?? 0,
    idle: async () => {
      await Promise.all([...lines.values()].map((line) => line.last));
    },
  };
}

async function follow(line: Line, step: Step): Promise<void> {
  await line.last;
  await step(line);
  line.waiting -= 1;
}
