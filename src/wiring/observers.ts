import type { Notice, Observe } from '../core/notice.ts';
import type { Log } from '../core/ports.ts';

/** Whoever hears of what happens: the metrics, the journal. */
export interface Observers {
  observe: Observe;
  add(observer: Observe): void;
}

export function createObservers(log: Log): Observers {
  const observers: Observe[] = [];
  const tell = (observer: Observe, notice: Notice): void => {
    try {
      observer(notice);
    } catch (error) {
      log.error({ error, notice: notice.is }, 'Something that happened was not counted.');
    }
  };
  return {
    observe: (notice) => observers.forEach((observer) => tell(observer, notice)),
    add: (observer) => void observers.push(observer),
  };
}
