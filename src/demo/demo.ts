/** The demo behind its page: visitors write and break things, and hear of all that happens on their own phones. */
import type { Channel } from '../core/platform.ts';
import { answered, endOf, isOver, type Turn, wrote } from './turn.ts';
import {
  createVisitors,
  LIMITS,
  type Limits,
  mayAsk,
  type Stream,
  type Visitor,
  type Visitors,
} from './visitors.ts';
import { channels, type Mark, type Trouble, type Way, type World } from './world.ts';

export interface DemoOptions {
  world: World;
  /** Of a visitor; nobody can guess it. */
  newId: () => string;
  /** @default LIMITS */
  limits?: Partial<Limits> | undefined;
}

/** `unknown`: no such visitor. `soon`: more than the minute's share. `enough`: more than one visit's share. `full`: too many. */
export type Refusal = 'unknown' | 'soon' | 'enough' | 'full';

export interface Message {
  channel: Channel;
  text: string;
  /** How long the bot thinks about it (ms). */
  thinkMs: number;
}

export interface Demo {
  /** A new visitor's id. */
  enter(): string | { refused: 'full' };
  /** Opens a visitor's page: tells it how things stand, then all that happens. Returns the way to close it. */
  open(id: string, stream: Stream): (() => void) | { refused: 'unknown' | 'soon' };
  write(id: string, message: Message): 'ok' | Refusal;
  trouble(id: string, trouble: Trouble): 'ok' | Refusal;
  /** Ends every page. */
  close(): void;
}

/** Covers are told so often while somebody waits; a connection without a word for longer may be cut (ms). */
const tickMs = 1_000;
const ticksPerSign = 15;

interface State {
  world: World;
  limits: Limits;
  visitors: Visitors;
}

export function createDemo({ world, newId, limits: changes }: DemoOptions): Demo {
  const limits = { ...LIMITS, ...changes };
  const state: State = { world, limits, visitors: createVisitors({ world, limits, newId }) };
  const stop = world.on((mark) => hear(state, mark));
  let ticks = 0;
  const ticker = setInterval(() => tick(state, (ticks += 1)), tickMs).unref();
  return {
    enter: () => state.visitors.enter()?.id ?? { refused: 'full' },
    open: (id, stream) => open(state, id, stream),
    write: (id, message) => write(state, id, message),
    trouble: (id, trouble) => begin(state, id, trouble),
    close() {
      stop();
      clearInterval(ticker);
      for (const { streams } of state.visitors.all()) for (const stream of streams) stream.end();
    },
  };
}

function open({ world, visitors, limits }: State, id: string, stream: Stream): ReturnType<Demo['open']> {
  const visitor = visitors.find(id);
  if (visitor === null) return { refused: 'unknown' };
  if (visitor.streams.size >= limits.streams) return { refused: 'soon' };
  visitor.streams.add(stream);
  visitor.goneAt = null;
  const marks = visitor.users.flatMap(({ channel, user, way }) =>
    world.phone(channel, user).marks.map((mark) => asSeen(mark, way)),
  );
  const turns = channels.flatMap((channel) => turnSeen(channel, visitor.turns.get(channel)) ?? []);
  stream.send('begin', { now: world.now(), turns, marks: marks.toSorted((a, b) => a.at - b.at) });
  tellCovers(world, visitor, channels);
  return () => {
    visitor.streams.delete(stream);
    if (visitor.streams.size === 0) visitor.goneAt = world.now();
  };
}

function write({ world, visitors, limits }: State, id: string, message: Message): 'ok' | Refusal {
  const visitor = visitors.find(id);
  if (visitor === null) return 'unknown';
  if (visitor.messages >= limits.messages) return 'enough';
  const at = world.now();
  if (!mayAsk(visitor, 'messages', { at, limit: limits.messagesPerMinute })) return 'soon';
  visitor.messages += 1;
  const { channel, thinkMs } = message;
  const turn = wrote(visitor.turns.get(channel) ?? null, { at, thinkMs });
  visitor.turns.set(channel, turn);
  tell(visitor, 'turn', { ...turnSeen(channel, turn), now: at });
  for (const { way, user, channel: on } of visitor.users)
    if (on === channel) world.write({ ...message, way, user });
  return 'ok';
}

function begin({ world, visitors, limits }: State, id: string, trouble: Trouble): 'ok' | Refusal {
  const visitor = visitors.find(id);
  if (visitor === null) return 'unknown';
  const at = world.now();
  if (!mayAsk(visitor, 'troubles', { at, limit: limits.troublesPerMinute })) return 'soon';
  // What stops for all is told to all.
  const told = (): Iterable<Visitor> => (trouble === 'worker' ? visitors.all() : [visitor]);
  const say = (on: boolean): void => {
    for (const one of told()) tell(one, 'trouble', { trouble, on, at: world.now() });
  };
  if (!world.trouble(trouble, visitor.users, () => say(false))) return 'soon';
  say(true);
  return 'ok';
}

function hear({ world, visitors }: State, mark: Mark): void {
  const { channel, user, at, what } = mark;
  const owner = visitors.of(channel, user);
  if (owner === null) return;
  const { visitor, way } = owner;
  tell(visitor, 'mark', asSeen(mark, way));
  const turn = visitor.turns.get(channel);
  if (turn === undefined || what !== 'received') return;
  visitor.turns.set(channel, answered(turn, way, at));
  tellCovers(world, visitor, [channel]);
}

function tick({ world, visitors }: State, ticks: number): void {
  visitors.sweep();
  const at = world.now();
  for (const visitor of visitors.all()) {
    if (ticks % ticksPerSign === 0) tell(visitor, 'alive', {});
    const waiting = channels.filter((channel) => {
      const turn = visitor.turns.get(channel);
      return turn !== undefined && !isOver(turn, at - tickMs);
    });
    tellCovers(world, visitor, waiting);
  }
}

/** What a visitor's page is told. */

/** How much of each wait the indicator was lit, as the phones themselves have it. */
function tellCovers(world: World, visitor: Visitor, of: readonly Channel[]): void {
  const at = world.now();
  for (const { channel, way, user } of visitor.streams.size === 0 ? [] : visitor.users) {
    const turn = visitor.turns.get(channel);
    if (turn === undefined || !of.includes(channel)) continue;
    const to = endOf(turn, way, at);
    const cover = world.phone(channel, user).cover(turn.from, to);
    tell(visitor, 'cover', {
      channel,
      way,
      cover,
      to,
      answered: turn.ends[way] !== null,
      lost: turn.ends[way] === null && at >= turn.overdue,
    });
  }
}

/** To every open page of a visitor. */
function tell({ streams }: Visitor, event: string, data: object): void {
  for (const stream of streams) stream.send(event, data);
}

/** A mark without its user's name. */
export type Seen = Omit<Mark, 'user'> & { way: Way };

function asSeen({ channel, at, what, detail }: Mark, way: Way): Seen {
  return { channel, way, at, what, detail };
}

function turnSeen(channel: Channel, turn: Turn | undefined): { channel: Channel; from: number } | null {
  return turn === undefined ? null : { channel, from: turn.from };
}
