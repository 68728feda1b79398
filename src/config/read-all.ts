/** All that somebody wrote down: what can be used, and what is skipped with the reason. */
import type { z } from 'zod';
import { eventsName } from '../core/authorizer.ts';
import type { WechatComponent } from '../wechat/component.ts';
import { readAccount, type Account } from './accounts.ts';
import type { Candidate } from './candidate.ts';
import { readComponent, type ComponentCandidate } from './components.ts';
import type { Forward } from './config.ts';
import { forwardFields } from './schema.ts';
import type { Settings } from './settings.ts';

/** An account of a file that could not be loaded; `account` is `channel/name`, of a third-party platform `component/name`. */
export interface Skipped {
  account: string;
  reason: string;
}

export interface Candidates {
  accounts: readonly Candidate[];
  components: readonly ComponentCandidate[];
}

type Served = { accounts: Account[]; components: WechatComponent[]; skipped: Skipped[] };

/** A fault of the environment is the whole configuration's; an account of a file is skipped, unless none is left and none can come at run time. */
export function readAll(candidates: Candidates, settings: Settings | null, faults: string[]): Served {
  const limits = settings ?? { TYPING_CAP_MS: 0, REPLY_DEADLINE_MS: 0 };
  const all: Served = { accounts: [], components: [], skipped: [] };
  for (const candidate of candidates.accounts) {
    const { channel, name } = candidate;
    const twice = all.accounts.some((other) => channel === other.channel && name === other.name);
    const read = readAccount(candidate, limits);
    if ('account' in read && !twice) all.accounts.push(read.account);
    else refuse(candidate, `${channel}/${name}`, { twice, read, all, faults });
  }
  for (const candidate of candidates.components) {
    const twice = all.components.some(({ name }) => name === candidate.name);
    const read = readComponent(candidate, { cap: limits.TYPING_CAP_MS, deadline: limits.REPLY_DEADLINE_MS });
    if ('component' in read && !twice) all.components.push(read.component);
    else refuse(candidate, `component/${candidate.name}`, { twice, read, all, faults });
  }
  const comeLater = settings?.ACCOUNTS_KEY !== undefined;
  if (all.accounts.length + all.components.length === 0 && !comeLater)
    faults.push(...all.skipped.map(({ account, reason }) => `${account}: ${reason}`));
  return all;
}

interface Refusal {
  twice: boolean;
  read: object | { faults: string[] };
  all: Served;
  faults: string[];
}

function refuse(
  { from }: Pick<Candidate, 'from'>,
  account: string,
  { twice, read, all, faults }: Refusal,
): void {
  const found = 'faults' in read ? read.faults : [];
  if (twice) all.skipped.push({ account, reason: 'the environment defines an account of that name' });
  else if (from === 'environment') faults.push(...found);
  else all.skipped.push({ account, reason: found.join('; ') });
}

/** The panic switch must work: what else is wrong with an account is of no interest. */
export function readForwards(
  candidates: Candidates,
  faults: string[],
): { forwards: Forward[]; skipped: Skipped[] } {
  const forwards: Forward[] = [];
  const skipped: Skipped[] = [];
  for (const written of [
    ...candidates.accounts.map(ofAccount),
    ...candidates.components.flatMap(ofComponent),
  ]) {
    const { channel, account, botUrl, apiBase, label } = written;
    const read = forwardFields[channel].safeParse({ botUrl, apiBase });
    if (read.success) forwards.push({ channel, account, ...read.data });
    else
      skipped.push({
        account: `${channel}/${account}`,
        reason: read.error.issues.map((issue) => describe(issue, label)).join('; '),
      });
  }
  if (forwards.length === 0) {
    faults.push('BYPASS needs a bot to forward to: set WECHAT_BOT_URL or NXCLOUD_BOT_URL');
    faults.push(...skipped.map(({ reason }) => reason));
  }
  return { forwards, skipped };
}

interface WrittenForward extends Pick<Candidate, 'channel' | 'label'> {
  account: string;
  botUrl: unknown;
  apiBase: unknown;
}

function ofAccount({ channel, name: account, fields, label }: Candidate): WrittenForward {
  return { channel, account, botUrl: fields['botUrl'], apiBase: fields['apiBase'], label };
}

function ofComponent({ name, fields, label }: ComponentCandidate): WrittenForward[] {
  const template = fields['template'];
  const botUrl =
    typeof template === 'object' && template !== null && 'botUrl' in template ? template.botUrl : undefined;
  const shared = { channel: 'wechat', apiBase: fields['apiBase'] } as const;
  const ofTemplate = (field: string): string => label(field === 'botUrl' ? ['template', field] : [field]);
  const ofEvents = (field: string): string => label([field === 'botUrl' ? 'forwardUrl' : field]);
  return [
    { ...shared, account: `${name}.*`, botUrl, label: ofTemplate },
    { ...shared, account: eventsName(name), botUrl: fields['forwardUrl'], label: ofEvents },
  ];
}

function describe({ path, message }: z.core.$ZodIssue, label: Candidate['label']): string {
  return `${label(path.map(String).join('.'))} ${message}`;
}
