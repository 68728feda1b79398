/** The promises as properties, apart from the core that keeps them, so that planted bugs can be run against them. */
import fc from 'fast-check';
import type { World } from '../core/world.ts';
import { gap, ghost } from './measures.ts';
import { play, type Subject } from './play.ts';
import { acts, histories, hows, type ActKind, type How, type Kind } from './plans.ts';

const latencyMax = 200;
const lateMax = 100;
const lagMax = 50;

type Check = (world: World, subject: Subject) => void;

function promise(kinds: Kind | Kind[], check: Check): (subject: Subject) => fc.IProperty<unknown> {
  const any = fc.oneof(...[kinds].flat().map(histories));
  return (subject) => fc.property(any, (history) => check(play(subject, history), subject));
}

const both = { afterAck: ['keep' as const, 'renew' as const] };

const faulty = {
  turns: 4,
  faulty: true,
  waits: 5000,
  rules: { ...both, interim: [null, { after: null }, { after: 8000 }] },
};
const pausing: ActKind[] = ['pause', 'resume', 'echo'];
/** What has been forgotten is news when it comes once more. */
const remembered = hows.filter((how) => how !== 'forgotten');

/** Under every fault: nothing shown for an ended turn, never two calls at once, every turn ends, and the phone ends dark. */
const noGhostWhateverFails = promise(
  [
    {
      ...faulty,
      hows: remembered.filter((how) => how !== 'handoff'),
      acts: acts.filter((act) => !pausing.includes(act)),
    },
    // A push that came in a pause is told once: here nobody would know its repeat.
    { ...faulty, hows: remembered, repeats: false },
  ],
  (world) => {
    unbroken(world, (line) => !line.startsWith('refused') && !line.startsWith('fought'));
    atRest(world);
    const { rules } = world;
    // A call without an answer may have been carried out at its very end, and a hide is tried again every so often.
    const bound = rules.hides ? rules.callLimit + rules.lifetime + latencyMax : rules.lifetime + latencyMax;
    below(ghost(world), bound, 'a ghost');
  },
);

/** Every way in which one turn ends, where it is told and nothing fails. */
const wellTold = hows.filter((how) => how !== 'silent' && how !== 'gateway-silent');

/** Where nothing fails: no refused call, no ghost but a show already on its way, no avoidable gap. */
const fullCover = promise(
  { turns: 1, hows: wellTold, acts: ['on', 'off'], waits: lagMax, rules: both },
  (world, { running }) => {
    unbroken(world);
    atRest(world);
    const { rules } = world;
    const soon = rules.renewMargin + lateMax + 3 * latencyMax + 2 * lagMax;
    // Where nothing says "already typing", a show in doubt may have done nothing for the rest of a lifetime.
    const inDoubt = running === 'swallows' ? rules.lifetime : soon + rules.againAfter;
    below(gap(world), world.doubted ? inDoubt : soon, 'a gap');
    below(ghost(world), rules.hides ? 500 + 3 * latencyMax : rules.lifetime, 'a ghost');
  },
);

const crossing = { turns: 4, waits: lagMax, rules: { afterAck: ['renew' as const] } };
/** A bot's messages are all seen, or none is. */
const seen: How[] = ['passive', 'failed', 'status', 'gateway', 'gateway-refused', 'working-gateway', 'keep'];
const unseen: How[] = ['passive', 'failed', 'queue', 'control'];

/** Overlapping turns, and evidence that names no turn. */
const overlap = promise(
  [
    { ...crossing, hows: seen, acts: ['message', 'stop', 'start'] },
    { ...crossing, hows: unseen, acts: ['start'] },
  ],
  (world, { running }) => {
    unbroken(world, (line) => !line.startsWith('refused'));
    const { rules } = world;
    // Where nothing says "already typing", or says it of what nobody knows of, the next show may wait for a lifetime.
    const again = rules.darkAfterMessage + rules.againAfter + 1300;
    const isSure = running === 'refuses' && !world.doubted;
    below(gap(world), isSure ? again : rules.lifetime + 1000, 'a gap');
  },
);

/** Each message answers one turn: none is ended for another's. */
const oldestFirst = promise(
  {
    turns: 4,
    hows: ['status', 'gateway', 'failed', 'working-gateway'],
    acts: [],
    waits: 0,
    rules: { afterAck: ['renew'], sendEnds: ['oldest'] },
  },
  (world, { running }) => {
    unbroken(world, (line) => !line.startsWith('refused'));
    const { rules } = world;
    const again = rules.darkAfterMessage + rules.againAfter + 1300;
    below(gap(world), running === 'refuses' ? again : rules.lifetime + 1000, 'a gap');
  },
);

const texts = { waits: lagMax, rules: { ...both, interim: [{ after: null }, { after: 8000 }] } };

/** With a text for whoever waits long: once per turn, never after its end, never one that the platform refuses. */
const interimOnce = promise(
  [
    {
      ...texts,
      turns: 3,
      hows: ['passive', 'failed', 'keep', 'first', 'gateway', 'working-gateway', 'control', 'queue'],
      acts: ['message', 'message', 'click', 'pause', 'resume'],
      repeats: false,
    },
    // A bot that has sent nearly all that it may before it goes to work.
    { ...texts, turns: 1, hows: ['keep', 'first'], acts: ['message'], burst: { acts: 8, within: 3000 } },
  ],
  (world) => {
    unbroken(world, (line) => !line.startsWith('refused show'));
    atRest(world);
  },
);

/** A human has the conversation: nothing shows until it is given back, or the bot answers again; then it does. */
const pausesHold = promise(
  {
    turns: 4,
    hows: ['passive', 'handoff', 'gateway', 'failed'],
    acts: [...pausing, 'message'],
    repeats: false,
    waits: lagMax,
    rules: both,
  },
  (world) => {
    unbroken(world, (line) => !line.startsWith('refused'));
    atRest(world);
    below(gap(world), world.rules.lifetime + 1000, 'a gap');
  },
);

export const promises = { noGhostWhateverFails, fullCover, overlap, oldestFirst, interimOnce, pausesHold };

function unbroken({ broken }: World, counts: (line: string) => boolean = () => true): void {
  const lines = broken.filter(counts);
  if (lines.length > 0) throw new Error(lines.join('; '));
}

function atRest(world: World): void {
  const { turns, call, indicator, timer } = world.state();
  const isLit = indicator.is === 'lit' && indicator.until > world.now();
  if (turns.length > 0) throw new Error('a turn never ends');
  if (call !== null || timer !== null) throw new Error('something is left to do');
  if (world.rules.hides && isLit) throw new Error('the phone does not end dark');
}

function below(ms: number, bound: number, what: string): void {
  if (ms > bound) throw new Error(`${what} of ${ms} ms, over ${bound}`);
}
