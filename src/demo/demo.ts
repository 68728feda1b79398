/** The demo behind its page: visitors write and break things, and hear of all that happens on their own phones. */
import { type Channel, channels } from '../core/platform.ts';
import { answered, type ComparedTurn, endOf, isOver, wrote } from './turn.ts';
import {
  createVisitors,
  LIMITS,
  mayAsk,
  type Stream,
  type Visitor,
  type VisitorLimits,
  type Visitors,
} from './visitors.ts';
import type { ComparedWay, Mark, Trouble, World } from './world.ts';

interface DemoOptions {
  world: World;
  /** Of a visitor; nobody can guess it. */
  newId: () => string;
  /** @default LIMITS */
  limits?: Partial<VisitorLimits> | undefined;
}

/** `unknown`: no such visitor. `soon`: more than the minute's share. `enough`: more than one visit's share. `full`: too many. */
export type VisitRefusal = 'unknown' | 'soon' | 'enough' | 'full';

interface VisitorMessage {
  channel: Channel;
  text: string;
  /** How long the bot thinks about it (ms). */
  thinkMs: number;
  /** The page writes it by itself, for a visitor who only looks. @default false */
  played?: boolean;
}

export interface Demo {
  /** A new visitor's id. */
  enter(): string | { refused: 'full' };
  /** Opens a visitor's page: tells it how things stand, then all that happens. Returns the way to close it. */
  open(id: string, stream: Stream): (() => void) | { refused: 'unknown' | 'soon' };
  write(id: string, message: VisitorMessage): 'ok' | VisitRefusal;
  trouble(id: string, trouble: Trouble): 'ok' | VisitRefusal;
  /** Ends every page. */
  close(): void;
}

/** Covers are told so often while somebody waits; a connection without a word for longer may be cut (ms). */
const tickMs = 1_000;
const ticksPerSign = 15;

interface DemoState {
  world: World;
  limits: VisitorLimits;
  visitors: Visitors;
}

export function createDemo({ world, newId, limits: changes }: DemoOptions): Demo {
  const limits = { ...LIMITS, ...changes };
  const state: DemoState = { world, limits, visitors: createVisitors({ world, limits, newId }) };
  const stop = world.on((mark) => hearPhone(state, mark));
  let ticks = 0;
  const ticker = setInterval(() => tick(state, (ticks += 1)), tickMs).unref();
  return {
    enter: () => state.visitors.enter()?.id ?? { refused: 'full' },
    open: (id, stream) => openPage(state, id, stream),
    write: (id, message) => writeMessage(state, id, message),
    trouble: (id, trouble) => begin(state, id, trouble),
    close() {
      stop();
      clearInterval(ticker);
      for (const { streams } of state.visitors.all()) for (const stream of streams) stream.end();
    },
  };
}

function openPage(
  { world, visitors, limits }: DemoState,
  id: string,
  stream: Stream,
): ReturnType<Demo['open']> {
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

function writeMessage(
  { world, visitors, limits }: DemoState,
  id: string,
  message: VisitorMessage,
): 'ok' | VisitRefusal {
  const visitor = visitors.find(id);
  if (visitor === null) return 'unknown';
  if (visitor.messages >= limits.messages) return 'enough';
  const at = world.now();
  if (!mayAsk(visitor, 'messages', { at, limit: limits.messagesPerMinute })) return 'soon';
  visitor.messages += 1;
  const { channel, thinkMs, text, played = false } = message;
  if (!played && visitor.turns.get(channel)?.played === true) takeOver(visitors, visitor, channel);
  const turn = wrote(visitor.turns.get(channel) ?? null, { at, thinkMs, played });
  visitor.turns.set(channel, turn);
  tellPage(visitor, 'turn', { ...turnSeen(channel, turn), now: at });
  for (const { way, user, channel: on } of visitor.users)
    if (on === channel) world.write({ channel, way, user, text, thinkMs });
  return 'ok';
}

/** A visitor's own message does not wait behind the play's, and no indicator of the play's is lit in its wait. */
function takeOver(visitors: Visitors, visitor: Visitor, channel: Channel): void {
  visitors.startAfresh(visitor, channel);
  tellPage(visitor, 'afresh', { channel });
}

function begin({ world, visitors, limits }: DemoState, id: string, trouble: Trouble): 'ok' | VisitRefusal {
  const visitor = visitors.find(id);
  if (visitor === null) return 'unknown';
  const at = world.now();
  if (!mayAsk(visitor, 'troubles', { at, limit: limits.troublesPerMinute })) return 'soon';
  // What stops for all is told to all.
  const told = (): Iterable<Visitor> => (trouble === 'worker' ? visitors.all() : [visitor]);
  const say = (on: boolean): void => {
    for (const one of told()) tellPage(one, 'trouble', { trouble, on, at: world.now() });
  };
  if (!world.trouble(trouble, visitor.users, () => say(false))) return 'soon';
  say(true);
  return 'ok';
}

function hearPhone({ world, visitors }: DemoState, mark: Mark): void {
  const { channel, user, at, what } = mark;
  const owner = visitors.of(channel, user);
  if (owner === null) return;
  const { visitor, way } = owner;
  tellPage(visitor, 'mark', asSeen(mark, way));
  const turn = visitor.turns.get(channel);
  if (turn === undefined || what !== 'received') return;
  visitor.turns.set(channel, answered(turn, way, at));
  tellCovers(world, visitor, [channel]);
}

function tick({ world, visitors }: DemoState, ticks: number): void {
  visitors.sweep();
  const at = world.now();
  for (const visitor of visitors.all()) {
    if (ticks % ticksPerSign === 0) tellPage(visitor, 'alive', {});
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
    tellPage(visitor, 'cover', {
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
function tellPage({ streams }: Visitor, event: string, data: object): void {
  for (const stream of streams) stream.send(event, data);
}

/** A mark without its user's name. */
type SeenMark = Omit<Mark, 'user'> & { way: ComparedWay };

function asSeen({ channel, at, what, detail }: Mark, way: ComparedWay): SeenMark {
  return { channel, way, at, what, detail };
}

function turnSeen(
  channel: Channel,
  turn: ComparedTurn | undefined,
): { channel: Channel; from: number; expected: number } | null {
  return turn === undefined ? null : { channel, from: turn.from, expected: turn.expected };
}
