/** Any number of `during` for one user, in any order, some of whose starts got no answer. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { letGo, type Ending, type Held, type Holder } from '../../src/client/turns.ts';

/** keeptyping's side: the open turns of the user, oldest first, with their messages. */
interface Turns {
  open: Map<string, string | undefined>;
  made: number;
}

/** `PUT …/typing`, as the interface has it. */
function put(turns: Turns, messageId: string | undefined): string {
  const open = [...turns.open];
  const joined = messageId === undefined ? open.at(-1) : open.find(([, message]) => message === messageId);
  if (joined !== undefined) return joined[0];
  turns.made += 1;
  const turn = messageId === undefined ? `by-hand-${turns.made}` : `turn-of-${messageId}`;
  turns.open.set(turn, messageId);
  return turn;
}

/** `DELETE …/typing` with what the client names. */
function end(turns: Turns, ending: Ending, { messageId, turn }: Holder): void {
  if (ending === 'all') turns.open.clear();
  if (ending === 'its turn') turns.open.delete(turn ?? '');
  if (ending === 'its message') turns.open.delete(`turn-of-${messageId}`);
}

interface Running {
  holder: Holder;
  /** The turn that it really has; null: the start was lost on its way there. */
  real: string | null;
}

const start = fc.record({
  do: fc.constant('start' as const),
  messageId: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
  answer: fc.constantFrom('heard', 'heard', 'lost on the way back', 'lost on the way there'),
});
const finish = fc.record({ do: fc.constant('finish' as const), which: fc.nat() });

interface Start {
  messageId: string | undefined;
  answer: string;
}

function begin(turns: Turns, held: Held, { messageId, answer }: Start): Running {
  const real = answer === 'lost on the way there' ? null : put(turns, messageId);
  const holder = { messageId, turn: answer === 'heard' ? real : null };
  held.holders.add(holder);
  return { holder, real };
}

test('a turn stays open while a function of its own runs, and none stays open after the last', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(start, finish), { maxLength: 30 }), (steps) => {
      const turns: Turns = { open: new Map(), made: 0 };
      const held: Held = { holders: new Set(), unsure: false };
      const running: Running[] = [];
      const finishOne = (which: number): void => {
        const [one] = running.splice(which % running.length, 1);
        if (one !== undefined) end(turns, letGo(held, one.holder), one.holder);
        for (const { real } of running) expect(real === null || turns.open.has(real)).toBe(true);
      };
      for (const step of steps) {
        if (step.do === 'start') running.push(begin(turns, held, step));
        else if (running.length > 0) finishOne(step.which);
      }
      while (running.length > 0) finishOne(0);
      expect([...turns.open]).toEqual([]);
      expect(held).toEqual({ holders: new Set(), unsure: false });
    }),
    { numRuns: 2_000 },
  );
});

test('with every answer heard, a turn ends with the last of its functions, not later', () => {
  const held: Held = { holders: new Set(), unsure: false };
  const [one, two, other]: [Holder, Holder, Holder] = [
    { messageId: 'a', turn: 'turn-of-a' },
    { messageId: undefined, turn: 'turn-of-a' },
    { messageId: 'b', turn: 'turn-of-b' },
  ];
  [one, two, other].forEach((holder) => held.holders.add(holder));
  expect([letGo(held, one), letGo(held, two), letGo(held, two), letGo(held, other)]).toEqual([
    'nothing',
    'its turn',
    'nothing',
    'its turn',
  ]);
});

test('all turns of the user end only when nobody waits, and once', () => {
  const held: Held = { holders: new Set(), unsure: false };
  const [lost, known]: [Holder, Holder] = [
    { messageId: undefined, turn: null },
    { messageId: 'b', turn: 'turn-of-b' },
  ];
  [lost, known].forEach((holder) => held.holders.add(holder));
  expect([letGo(held, lost), letGo(held, known)]).toEqual(['nothing', 'all']);
  held.holders.add(known);
  expect(letGo(held, known)).toBe('its turn');
});
