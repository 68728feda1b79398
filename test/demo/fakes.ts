import type { Channel } from '../../src/core/platform.ts';
import type { Stream } from '../../src/demo/visitors.ts';
import type { Mark, Trouble, User, World, WrittenMessage } from '../../src/demo/world.ts';

/** A world that writes down what is asked of it; `happen` lets a mark happen. */
export interface FakeWorld extends World {
  at: number;
  written: WrittenMessage[];
  forgotten: string[];
  begun: { trouble: Trouble; users: readonly User[]; over: () => void }[];
  refusesTrouble: boolean;
  happen(mark: Pick<Mark, 'channel' | 'user' | 'what'> & Partial<Mark>): void;
}

export function createFakeWorld(): FakeWorld {
  const listeners = new Set<(mark: Mark) => void>();
  const marks: Mark[] = [];
  let users = 0;
  const world: FakeWorld = {
    at: 1_000,
    written: [],
    forgotten: [],
    begun: [],
    refusesTrouble: false,
    now: () => world.at,
    newUser: (channel) => `${channel}-${(users += 1)}`,
    write(written) {
      world.written.push(written);
      world.happen({ channel: written.channel, user: written.user, what: 'sent', detail: written.text });
    },
    phone: (channel: Channel, user: string) => ({
      marks: marks.filter((mark) => mark.channel === channel && mark.user === user),
      cover: (from, to) => (to - from) / 10_000,
    }),
    trouble(trouble, users, over) {
      if (world.refusesTrouble) return false;
      world.begun.push({ trouble, users, over });
      return true;
    },
    forget: (channel, user) => void world.forgotten.push(`${channel}/${user}`),
    on(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    happen(happened) {
      const mark: Mark = { at: world.at, detail: '', ...happened };
      marks.push(mark);
      for (const listener of listeners) listener(mark);
    },
  };
  return world;
}

export interface FakePage extends Stream {
  events: { event: string; data: object }[];
  ended: boolean;
  of(event: string): object[];
}

export function createPage(): FakePage {
  const page: FakePage = {
    events: [],
    ended: false,
    send: (event, data) => void page.events.push({ event, data }),
    end: () => void (page.ended = true),
    of: (event) => page.events.filter((one) => one.event === event).map(({ data }) => data),
  };
  return page;
}
