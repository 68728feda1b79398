/** What a visitor's page is told. */
import type { Channel } from '../core/platform.ts';
import { endOf, type Turn } from './turn.ts';
import type { Visitor } from './visitors.ts';
import type { Mark, Way, World } from './world.ts';

/** How much of each wait the indicator was lit, as the phones themselves have it. */
export function tellCovers(world: World, visitor: Visitor, of: readonly Channel[]): void {
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
export function tell({ streams }: Visitor, event: string, data: object): void {
  for (const stream of streams) stream.send(event, data);
}

/** A mark without its user's name. */
export type Seen = Omit<Mark, 'user'> & { way: Way };

export function asSeen({ channel, at, what, detail }: Mark, way: Way): Seen {
  return { channel, way, at, what, detail };
}

export function turnSeen(
  channel: Channel,
  turn: Turn | undefined,
): { channel: Channel; from: number } | null {
  return turn === undefined ? null : { channel, from: turn.from };
}
