/** Plays a plan in the reference world. */
import { createWorld, noon, type Sent, type Stepper, type World } from '../core/world.ts';
import type { Rules } from '../../src/core/rules.ts';
import type { Event, Evidence } from '../../src/core/state.ts';
import type { Act, ActKind, History, How, TurnPlan } from './plans.ts';

export interface Subject {
  rules: Rules;
  running: 'refuses' | 'swallows';
  step?: Stepper;
}

export function play({ rules, running, step }: Subject, history: History): World {
  const world = createWorld({
    rules: { ...rules, ...history.rules },
    running,
    ...(step ? { step } : {}),
    latency: (n) => pick(history.latencies, n, 1),
    fault: (n) => pick(history.faults, n, 'none'),
    late: (n) => pick(history.lates, n, 0),
  });
  history.turns.forEach((plan, index) => {
    const scene: Scene = { world, plan, turn: `turn-${index}` };
    world.at(noon + plan.at, () => begins[plan.how](scene));
  });
  for (const act of history.acts) world.at(noon + act.at, () => meanwhile[act.is](world, act));
  world.run();
  return world;
}

function pick<T>(from: T[], n: number, otherwise: T): T {
  return from[n % from.length] ?? otherwise;
}

interface Scene {
  world: World;
  plan: TurnPlan;
  turn: string;
}

type Told = Event extends infer Each ? (Each extends Event ? Omit<Each, 'at'> : never) : never;

function after({ world }: Scene, ms: number, what: () => void): void {
  world.at(world.now() + ms, what);
}

/** News of the turn, now and perhaps once more. */
function tells(scene: Scene, told: Told): void {
  const { world, plan } = scene;
  const event: Event = { ...told, at: world.now() };
  world.tell(event, { waits: plan.lags });
  if (plan.doubled !== null) after(scene, plan.doubled, () => world.tell(event, { waits: plan.lags }));
}

function ends(scene: Scene, by: Evidence, message: boolean | 'out'): void {
  tells(scene, { is: 'ended', turn: scene.turn, by, message });
}

/** The user writes; repeats of the push move nothing. */
function writes(scene: Scene, more: Partial<Extract<Event, { is: 'inbound' }>> = {}): void {
  const { world, plan, turn } = scene;
  const at = world.now();
  world.phone.writes(at);
  const arrives = (): void =>
    world.tell(
      {
        is: 'inbound',
        turn,
        sentAt: Math.floor(at / 1000),
        messageId: turn,
        opensTurn: true,
        interaction: true,
        phase: 'working',
        at: world.now(),
        ...more,
      },
      { waits: plan.waits },
    );
  arrives();
  for (const later of plan.repeats) after(scene, later, arrives);
}

/** The user writes, and the bot's webhook answer comes when it has been at work. */
function answersWith(what: (scene: Scene) => void): (scene: Scene) => void {
  return (scene) => {
    writes(scene);
    after(scene, scene.plan.takes, () => what(scene));
  };
}

/** The user writes, the bot acknowledges, and goes to work. */
function acknowledgesAnd(what: (scene: Scene) => void, renew = false): (scene: Scene) => void {
  return (scene) => {
    const { plan, turn } = scene;
    writes(scene);
    after(scene, plan.acknowledges, () =>
      tells(scene, { is: 'acknowledged', turn, ...(renew ? { renew } : {}) }),
    );
    after(scene, plan.acknowledges + plan.takes, () => what(scene));
  };
}

/** A message that the webhook answer held reaches the phone. */
function reaches(scene: Scene): void {
  const { world, plan } = scene;
  world.expects(300);
  after(scene, 300, () => {
    world.phone.message(world.now());
    world.tell({ is: 'interaction', sent: false, at: world.now() }, { waits: plan.lags });
  });
}

function sends({ world, plan, turn }: Scene, how: Sent): void {
  const id = world.rules.hides ? null : `message-of-${turn}`;
  world.send({ how, id, waits: plan.lags, latency: plan.latency });
}

/** The platform's own news of a message to the user: in seconds, by its id, sooner or later than the gateway's. */
function reports(scene: Scene, sentAt: number): void {
  const { world, plan, turn } = scene;
  if (world.rules.hides) return;
  const status = (): void =>
    tells(scene, {
      is: 'message',
      by: 'status',
      sentAt: Math.floor(sentAt / 1000),
      id: `message-of-${turn}`,
    });
  after(scene, Math.max(0, 2 * plan.latency + plan.statusAfter), status);
}

const begins: Record<How, (scene: Scene) => void> = {
  passive: answersWith((scene) => {
    ends(scene, 'passive-reply', true);
    reaches(scene);
  }),
  undelivered: answersWith((scene) => {
    const { world, plan } = scene;
    ends(scene, 'passive-reply', true);
    after(scene, 300, () => world.tell({ is: 'undelivered', at: world.now() }, { waits: plan.lags }));
  }),
  // An answer that is faster than its own message's job.
  early: (scene) => {
    const { world, plan } = scene;
    const { lags, waits } = plan;
    writes({ ...scene, plan: { ...plan, waits: lags + waits + 3 } });
    after(scene, 1, () => ends(scene, 'passive-reply', true));
    after(scene, 2, () => world.phone.message(world.now()));
  },
  failed: answersWith((scene) => ends(scene, 'reply-failed', false)),
  none: answersWith((scene) => ends(scene, 'bot', false)),
  done: answersWith((scene) => {
    if (scene.plan.isOut) scene.world.unseen();
    ends(scene, 'bot', 'out');
  }),
  keep: acknowledgesAnd((scene) => sends(scene, 'accepted'), true),
  first: (scene) => {
    const { plan, turn } = scene;
    writes(scene);
    after(scene, plan.acknowledges, () => {
      tells(scene, { is: 'acknowledged', turn, renew: true });
      reaches(scene);
    });
    after(scene, plan.acknowledges + 300 + plan.takes, () => sends(scene, 'accepted'));
  },
  handoff: answersWith((scene) => {
    const { world, plan } = scene;
    const until = world.now() + world.rules.handoff;
    world.whenSettled(() =>
      world.tell({ is: 'paused', until, by: 'transfer', at: world.now() }, { waits: plan.lags }),
    );
    reaches(scene);
  }),
  // WeChat has no such news.
  status: acknowledgesAnd((scene) => {
    const { world, plan } = scene;
    if (world.rules.hides) return sends(scene, 'accepted');
    world.unseen({ told: true });
    after(scene, 150, () => {
      const sentAt = plan.isOut ? Math.floor((world.now() - 150) / 1000) : 0;
      tells(scene, { is: 'message', by: 'status', sentAt, id: `message-of-${scene.turn}` });
    });
  }),
  silent: acknowledgesAnd(() => {}),
  gateway: acknowledgesAnd((scene) => {
    sends(scene, 'accepted');
    reports(scene, scene.world.now() + scene.plan.latency);
  }),
  'gateway-refused': acknowledgesAnd((scene) => {
    sends(scene, 'refused');
    after(scene, 1000, () => sends(scene, 'accepted'));
  }),
  'gateway-unknown': acknowledgesAnd((scene) => {
    sends(scene, scene.plan.isOut ? 'unknown-out' : 'unknown-lost');
    after(scene, 8000, () => ends(scene, 'queue', 'out'));
  }),
  'gateway-silent': acknowledgesAnd((scene) => {
    sends(scene, scene.plan.isOut ? 'silent-out' : 'silent-lost');
  }),
  'working-gateway': answersWith((scene) => {
    sends(scene, 'accepted');
    after(scene, scene.plan.acknowledges, () => tells(scene, { is: 'acknowledged', turn: scene.turn }));
  }),
  queue: acknowledgesAnd((scene) => {
    scene.world.unseen();
    after(scene, 150, () => ends(scene, 'queue', 'out'));
  }),
  'queue-nothing': acknowledgesAnd((scene) => ends(scene, 'queue', 'out')),
  'queue-failed': acknowledgesAnd((scene) => ends(scene, 'queue', false)),
  over: acknowledgesAnd((scene) => {
    if (scene.plan.isOut) scene.world.unseen();
    tells(scene, { is: 'over', by: 'queue', turns: 'acknowledged' });
  }),
  'over-all': answersWith((scene) => {
    if (scene.plan.isOut) scene.world.unseen();
    tells(scene, { is: 'over', by: 'control', turns: 'all' });
  }),
  // The push of the message went elsewhere; who answers says so.
  control: (scene) => {
    const { world, plan, turn } = scene;
    world.phone.writes(world.now());
    world.tell({ is: 'started', turn, messageId: turn, at: world.now() }, { waits: plan.waits });
    after(scene, plan.takes, () => {
      if (plan.isOut) world.unseen();
      ends(scene, 'control', 'out');
    });
  },
  // Then a repeat would be a new message.
  forgotten: (scene) => {
    const { world, plan } = scene;
    writes({ ...scene, plan: { ...plan, repeats: [] } });
    after(scene, plan.takes, () => world.whenSettled(() => world.tell({ is: 'forgotten', at: world.now() })));
  },
};

const meanwhile: Record<ActKind, (world: World, act: Act) => void> = {
  // Only WeChat's is seen; and only while somebody waits: else it is the bot's alone.
  on: (world, { lags, latency }) => {
    world.whenSettled(() => {
      const isHeard = world.rules.hides && isWaiting(world) && !isEnding(world);
      if (isHeard) world.types(true, { waits: lags, latency });
    });
  },
  off: (world, { lags, latency }) => {
    world.whenSettled(() => {
      if (world.rules.hides && isWaiting(world)) world.types(false, { waits: lags, latency });
    });
  },
  pause: (world, { lags }) => {
    world.whenSettled(() => {
      const until = world.now() + world.rules.handoff;
      world.tell({ is: 'paused', until, by: 'session', at: world.now() }, { waits: lags });
    });
  },
  resume: (world, { lags }) => {
    world.whenSettled(() => world.tell({ is: 'resumed', by: 'session', at: world.now() }, { waits: lags }));
  },
  echo: (world, { lags }) => {
    if (world.rules.echoPause === 0) return;
    world.whenSettled(() => {
      world.unseen({ told: true });
      const sentAt = Math.floor(world.now() / 1000);
      world.tell(
        { is: 'message', by: 'echo', sentAt, id: `echo-${world.now()}`, at: world.now() },
        { waits: lags },
      );
    });
  },
  message: (world, { lags, latency }) => world.send({ how: 'accepted', id: null, waits: lags, latency }),
  stop: (world, { lags }) =>
    world.tell({ is: 'over', by: 'control', turns: 'all', at: world.now() }, { waits: lags }),
  start: (world, { lags }) => {
    world.whenSettled(() => {
      const open = world.truth.turns.findLast(({ over }) => !over);
      const turn = open?.id ?? `control-${world.now()}`;
      world.tell({ is: 'started', turn, messageId: null, at: world.now() }, { waits: lags });
    });
  },
  click: (world, { lags }) => {
    const at = world.now();
    world.phone.writes(at);
    const click = { is: 'inbound', turn: `click-${at}`, sentAt: 0, messageId: null } as const;
    world.tell({ ...click, opensTurn: false, interaction: true, phase: 'working', at }, { waits: lags });
  },
  left: (world, { lags }) =>
    world.whenSettled(() => world.tell({ is: 'left', at: world.now() }, { waits: lags })),
};

/** Whether it then finds our indicator or not is a matter of moments. */
function isEnding(world: World): boolean {
  const left = (world.phone.lit.at(-1)?.to ?? 0) - world.now();
  return left > -1000 && left < 2000;
}

function isWaiting(world: World): boolean {
  const now = world.now();
  return world.truth.turns.some(({ judgedAt, endedAt }) => judgedAt <= now && now < endedAt);
}
