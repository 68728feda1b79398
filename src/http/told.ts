/** What the web does for a push itself, told to whoever observes. */
import { judgeBot } from '../core/bot.ts';
import type { DeliveryWay } from '../core/notice.ts';
import { type Answer, NoAnswer } from '../core/wire.ts';
import { type Task, userOf, type WebDeps } from './task.ts';

type Observing = Pick<WebDeps, 'clock' | 'observe'>;

export function tellDelivery({ clock, observe }: Observing, task: Task, way: DeliveryWay): void {
  observe?.({ is: 'delivery', at: clock.now(), ...placeOf(task), way, code: 0, job: null });
}

/** The bot was called from `from` on; nothing calls it again for this delivery. */
export function tellCall(
  { clock, observe }: Observing,
  task: Task,
  { from, result }: { from: number; result: Answer | NoAnswer },
): void {
  const at = clock.now();
  const status = result instanceof NoAnswer ? 0 : result.status;
  const verdict = judgeBot(result, 'never');
  const overheadMs = Math.max(0, from - task.arrivedAt);
  observe?.({ is: 'bot', at, ...placeOf(task), status, result: verdict, ms: at - from, overheadMs });
}

function placeOf(task: Task) {
  const { channel, account } = task.served.platform;
  return { channel, account, user: userOf(task), turn: task.received.key };
}
