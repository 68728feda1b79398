/** Who is on the page: each with users of their own on both platforms, so that nobody sees another's conversation. */
import { type Channel, channels } from '../core/platform.ts';
import type { EventStream } from '../pages/pages.ts';
import type { ComparedTurn } from './turn.ts';
import { type ComparedWay, type User, ways, type World } from './world.ts';

/** One open page. */
export type Stream = EventStream;

export interface Visitor {
  readonly id: string;
  users: readonly User[];
  /** Whom another has replaced: forgotten with the visitor. */
  readonly replaced: User[];
  readonly streams: Set<Stream>;
  readonly turns: Map<Channel, ComparedTurn>;
  /** The last minute's requests, by kind: ms since 1970. */
  readonly asked: Map<string, number[]>;
  messages: number;
  /** When the last page was closed; null while one is open. */
  goneAt: number | null;
}

export interface VisitorLimits {
  /** Visitors at a time. */
  visitors: number;
  /** Open pages of one visitor. */
  streams: number;
  /** A visitor who has closed the page is forgotten after this (ms); the bot has answered by then. */
  forgottenAfter: number;
  /** Messages of one visitor in all, as a phone keeps what it has seen. */
  messages: number;
  messagesPerMinute: number;
  troublesPerMinute: number;
}

export const LIMITS: Readonly<VisitorLimits> = Object.freeze({
  visitors: 200,
  streams: 3,
  forgottenAfter: 240_000,
  messages: 100,
  messagesPerMinute: 20,
  troublesPerMinute: 20,
});

export interface Visitors {
  /** null when there are too many already. */
  enter(): Visitor | null;
  find(id: string): Visitor | null;
  of(channel: Channel, user: string): { visitor: Visitor; way: ComparedWay } | null;
  /** New phones on that platform; what still comes to the old ones is heard by nobody. */
  startAfresh(visitor: Visitor, channel: Channel): void;
  all(): Iterable<Visitor>;
  /** Forgets who has been gone for long. */
  sweep(): void;
}

interface VisitorsOptions {
  world: Pick<World, 'now' | 'newUser' | 'forget'>;
  limits: Pick<VisitorLimits, 'visitors' | 'forgottenAfter'>;
  /** Of a visitor; nobody can guess it. */
  newId: () => string;
}

export function createVisitors({ world, limits, newId }: VisitorsOptions): Visitors {
  const byId = new Map<string, Visitor>();
  const byUser = new Map<string, { visitor: Visitor; way: ComparedWay }>();
  const introduce = (visitor: Visitor): void => {
    for (const { channel, user, way } of visitor.users) byUser.set(`${channel}/${user}`, { visitor, way });
  };
  const forget = (visitor: Visitor): void => {
    byId.delete(visitor.id);
    for (const { channel, user } of [...visitor.users, ...visitor.replaced]) {
      byUser.delete(`${channel}/${user}`);
      world.forget(channel, user);
    }
  };
  return {
    enter() {
      if (byId.size >= limits.visitors) return null;
      const visitor = createVisitor(newId(), world);
      byId.set(visitor.id, visitor);
      introduce(visitor);
      return visitor;
    },
    find: (id) => byId.get(id) ?? null,
    of: (channel, user) => byUser.get(`${channel}/${user}`) ?? null,
    startAfresh(visitor, channel) {
      const old = visitor.users.filter((user) => user.channel === channel);
      for (const { user } of old) byUser.delete(`${channel}/${user}`);
      visitor.replaced.push(...old);
      visitor.users = [
        ...visitor.users.filter((user) => user.channel !== channel),
        ...newUsers(channel, world),
      ];
      visitor.turns.delete(channel);
      introduce(visitor);
    },
    all: () => byId.values(),
    sweep() {
      const since = world.now() - limits.forgottenAfter;
      for (const visitor of byId.values()) if ((visitor.goneAt ?? Infinity) <= since) forget(visitor);
    },
  };
}

function createVisitor(id: string, world: Pick<World, 'now' | 'newUser'>): Visitor {
  const users = channels.flatMap((channel) => newUsers(channel, world));
  const [streams, turns, asked] = [
    new Set<Stream>(),
    new Map<Channel, ComparedTurn>(),
    new Map<string, number[]>(),
  ];
  return { id, users, replaced: [], streams, turns, asked, messages: 0, goneAt: world.now() };
}

function newUsers(channel: Channel, world: Pick<World, 'newUser'>): User[] {
  return ways.map((way) => ({ channel, way, user: world.newUser(channel) }));
}

/** Whether one more is within the minute's limit; counts it if so. */
export function mayAsk(
  visitor: Visitor,
  kind: string,
  { at, limit }: { at: number; limit: number },
): boolean {
  const recent = (visitor.asked.get(kind) ?? []).filter((then) => then > at - 60_000);
  visitor.asked.set(kind, recent);
  if (recent.length >= limit) return false;
  recent.push(at);
  return true;
}
