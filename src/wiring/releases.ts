/** What a process has opened, to be closed in reverse order. */
export interface Releases {
  add(name: string, release: () => unknown): void;
  /** Closes everything, the last opened first; one that fails does not keep the others open. */
  all(): Promise<void>;
}

export function createReleases(failed: (name: string, error: unknown) => void): Releases {
  const stack: { name: string; release: () => unknown }[] = [];
  return {
    add: (name, release) => void stack.push({ name, release }),
    all: async () => {
      for (let last = stack.pop(); last; last = stack.pop()) {
        try {
          await last.release();
        } catch (error) {
          failed(last.name, error);
        }
      }
    },
  };
}
