import type { Outcome } from './platform.ts';
import type { Rules } from './rules.ts';
import type { Call, Refusal, State } from './state.ts';

/** What the platform's answer to the call in flight means. */
export function takeOutcome(
  rules: Rules,
  state: State,
  { n, outcome, at }: { n: number; outcome: Outcome; at: number },
): State {
  const { call } = state;
  if (call?.n !== n) return afterGivenUp(rules, state, { n, outcome, at });
  const free = { ...state, call: null };
  switch (call.kind) {
    case 'show':
      return shown(rules, free, { call, outcome, at });
    case 'hide':
      return hidden(rules, free, { outcome, at });
    case 'interim':
      return saidInterim(rules, free, { outcome, at });
  }
}

/**
 * The call has been without an outcome for too long, or its job is dead: it may or may not have been carried out.
 * @param when.retryAt No show before. @default as after a call that was lost
 */
export function giveUpCall(
  rules: Rules,
  state: State,
  { at, retryAt }: { at: number; retryAt?: number },
): State {
  const { call } = state;
  if (!call) return state;
  const outcome = { is: 'lost', begun: true, cause: 'given up' } as const;
  const { n, kind } = call;
  const lost = takeOutcome(rules, state, { n, outcome, at });
  const isOn = kind === 'show' && !call.crossed;
  const showAt = Math.max(retryAt ?? lost.showAt, isOn ? endOfUnheard(rules, call) : 0);
  return { ...lost, showAt, givenUp: { n, kind } };
}

/**
 * What a process has written goes out though it dies, so that its show is most likely on: where a second one would be
 * refused, it is not asked for before the first has run out.
 */
function endOfUnheard({ againTries, lifetime, renewMargin }: Rules, { at }: Call): number {
  return againTries > 0 ? at + lifetime + renewMargin + unheardOf : 0;
}

/** A show whose answer nobody has heard has come on within this (ms). */
const unheardOf = 500;

/** A show that was given up has been accepted after all. A hide can be taken or left: it is tried again anyway. */
function afterGivenUp(
  rules: Rules,
  state: State,
  { n, outcome, at }: { n: number; outcome: Outcome; at: number },
): State {
  const interim = state.givenUp?.n === n && state.givenUp.kind === 'interim';
  if (interim && outcome.is === 'done') return cleared(rules, interacted(state, at), { at, showAt: at });
  if (outcome.is !== 'done' || state.call?.kind === 'show' || state.indicator.is === 'lit') return state;
  return { ...state, indicator: { is: 'maybe', since: at, until: at + rules.lifetime } };
}

function shown(
  rules: Rules,
  state: State,
  { call, outcome, at }: { call: Call; outcome: Outcome; at: number },
): State {
  // "Already typing" is the indicator that we know of, where we know of one: it ends when that one ends.
  const known = outcome.is === 'already' ? endOf(rules, state.indicator, at) : null;
  const running = { since: call.at, until: known ?? at + rules.lifetime };
  switch (outcome.is) {
    case 'done':
    case 'already': {
      const again = outcome.is === 'already' ? state.again + 1 : 0;
      // What is known to run is not asked for again before it ends, whoever has switched it on.
      const isKnown = known !== null && known > at && state.again === 0;
      const soon = again > 0 && again <= rules.againTries && !isKnown;
      const over = running.until + rules.renewMargin;
      const showAt = soon ? Math.min(at + rules.againAfter, over) : over;
      const turns = state.turns.map((turn) => ({ ...turn, shown: true }));
      if (call.crossed)
        return {
          ...state,
          turns,
          showAt: Math.max(at, state.showAt),
          indicator: { is: 'maybe', ...running },
        };
      return { ...state, turns, again, showAt, indicator: { is: 'lit', ...running } };
    }
    case 'lost': {
      const indicator = outcome.begun ? ({ is: 'maybe', ...running } as const) : state.indicator;
      return { ...state, indicator, showAt: at + rules.showRetry };
    }
    case 'failed':
      return { ...state, showAt: at + rules.showRetry };
    default:
      if (isOutdated(state, call, outcome)) return { ...state, showAt: at, again: 0 };
      return { ...state, refusal: refusalOf(outcome, at), again: 0 };
  }
}

/** When that will be. Of one whose call had no answer: at the earliest; where it ends later, it is asked for again then. */
function endOf({ lifetime }: Rules, indicator: State['indicator'], at: number): number | null {
  if (indicator.is !== 'maybe') return indicator.is === 'dark' ? null : indicator.until;
  const earliest = indicator.since + lifetime;
  return earliest > at ? earliest : null;
}

/** What was refused has changed while the call was in flight. */
function isOutdated({ lastInteractionAt, messageId }: State, call: Call, { is }: Outcome): boolean {
  if (is === 'window-closed') return lastInteractionAt !== null && lastInteractionAt > call.at;
  return is === 'message-refused' && messageId !== call.messageId;
}

function hidden(rules: Rules, state: State, { outcome, at }: { outcome: Outcome; at: number }): State {
  if (outcome.is === 'done') return { ...state, indicator: { is: 'dark' }, showAt: 0, again: 0 };
  return { ...state, hideAt: at + rules.hideRetry };
}

/** It is a message like another, but no answer: who waits waits on. */
function saidInterim(rules: Rules, state: State, { outcome, at }: { outcome: Outcome; at: number }): State {
  const sent = { ...state, sends: state.sends + 1 };
  if (outcome.is === 'done') return cleared(rules, interacted(sent, at), { at, showAt: at });
  return outcome.is === 'lost' && outcome.begun ? doubted(rules, sent, at) : state;
}

type Refusing = Exclude<Outcome, { is: 'done' | 'already' | 'lost' | 'failed' }>;

function refusalOf(outcome: Refusing, at: number): Refusal {
  const { code } = outcome;
  switch (outcome.is) {
    case 'window-closed':
      return { code, why: 'window', until: null };
    case 'message-refused':
      return { code, why: 'message', until: null };
    case 'user-back-off':
      return { code, why: 'user', until: at + outcome.forMs };
    case 'account-back-off':
      return { code, why: 'account', until: at + outcome.forMs };
    case 'account-off':
      // The account's own switch says when it is tried again; here it is enough that all processes hear of it.
      return { code, why: 'account', until: at + 10_000 };
  }
}

interface Clearing {
  /** When the message went out, or is about to. */
  at: number;
  /** No show before. */
  showAt: number;
}

/** A message to the user goes out: what is lit goes dark, and a show in flight may land on either side of it. */
export function cleared(rules: Rules, state: State, { at, showAt }: Clearing): State {
  if (!rules.messageClears) return state;
  const { call, indicator } = state;
  if (call?.kind === 'show' && call.at <= at) return { ...state, showAt, call: { ...call, crossed: true } };
  // Whatever shows, the message takes it away: nothing is waited for that was to run out.
  if (indicator.is === 'maybe') return { ...state, showAt: Math.min(state.showAt, showAt) };
  if (indicator.is === 'lit' && indicator.since > at) return state;
  // Told only now: the show was in flight as the message went out.
  const isCrossed = indicator.is === 'lit' && at < indicator.until - rules.lifetime;
  if (isCrossed) return { ...state, again: 0, showAt, indicator: { ...indicator, is: 'maybe' } };
  return {
    ...state,
    again: 0,
    showAt,
    indicator: indicator.is === 'lit' ? { ...indicator, is: 'cleared' } : indicator,
  };
}

export function interacted(state: State, at: number): State {
  const refusal = state.refusal?.why === 'window' ? null : state.refusal;
  return { ...state, refusal, lastInteractionAt: Math.max(at, state.lastInteractionAt ?? 0) };
}

/** A message to the user may have gone out some time before: what is lit may be dark by now. */
export function doubted(rules: Rules, state: State, at: number): State {
  const { call, indicator } = state;
  if (!rules.messageClears) return state;
  if (call?.kind === 'show' && call.at <= at) return { ...state, call: { ...call, crossed: true } };
  if (indicator.is !== 'lit' || indicator.since > at) return state;
  return { ...state, again: 0, showAt: at, indicator: { ...indicator, is: 'maybe' } };
}
