/** A change of ACCOUNTS_KEY, as a third-party platform's secrets live through it. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSeal } from '../../../src/accounts/record.ts';
import { createComponentSecrets, sealComponentAnew } from '../../../src/wechat/component/secrets.ts';
import { createComponentTokens } from '../../../src/wechat/component/tokens.ts';
import { vendor } from '../../support/accounts.ts';
import { handClock } from '../../support/clock.ts';
import { recordLog } from '../../support/log.ts';
import { fakeCache, scriptedSend } from '../../support/wechat.ts';
import { fakeKept, shop } from './scene.ts';

const former = Buffer.alloc(32, 1);
const present = Buffer.alloc(32, 2);
const at = 1_700_000_000_000;

function scene() {
  const [clock, kept, log] = [handClock(), fakeKept(), recordLog()];
  const cache = fakeCache(clock);
  const by = (...keys: [Buffer, ...Buffer[]]) => {
    const seal = createSeal({ keys, random: randomBytes });
    const secrets = createComponentSecrets(vendor.appId, { kept, seal, now: clock.now });
    return { seal, secrets, anew: () => sealComponentAnew(vendor, { kept, seal, cache, log }) };
  };
  return { clock, kept, cache, log, by };
}

async function filled() {
  const it = scene();
  const { secrets } = it.by(former);
  await secrets.keepTicket({ secret: 'TICKET', at });
  await secrets.keepRefreshToken(shop, { secret: 'R1', at });
  await secrets.keepCode('wx2222222222222222', { secret: 'CODE', at }, 60_000);
  return it;
}

const messages = ({ log }: ReturnType<typeof scene>) => log.lines.map(({ message }) => message);

test('all that is kept is closed with the present key, after which the former one is not needed', async () => {
  const it = await filled();
  await it.by(present, former).anew();
  const { secrets } = it.by(present);
  expect(await secrets.ticket()).toBe('TICKET');
  expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R1', at });
  expect(await secrets.code('wx2222222222222222')).toMatchObject({ secret: 'CODE', at });
  expect(messages(it)).toEqual(['What it keeps is closed by the present ACCOUNTS_KEY now.']);
  expect(JSON.stringify(it.log.lines)).not.toMatch(/TICKET|R1|CODE/);
});

test('done once, nothing is written again and nothing is said', async () => {
  const it = await filled();
  await it.by(present, former).anew();
  const before = [...it.kept.entries];
  await it.by(present, former).anew();
  expect([...it.kept.entries]).toEqual(before);
  expect(messages(it)).toHaveLength(1);
});

test('what no key opens is said, and stays', async () => {
  const it = await filled();
  const before = [...it.kept.entries];
  await it.by(present).anew();
  expect([...it.kept.entries]).toEqual(before);
  expect(messages(it)).toEqual([expect.stringContaining('closed by another key')]);
});

test('a refresh token that somebody is just renewing is left alone', async () => {
  const it = await filled();
  const name = `wechat/${vendor.appId}/refresh/${shop}`;
  const before = it.kept.entries.get(name);
  const lock = `token/wechat/${vendor.appId}/${shop}/lock`;
  await it.cache.lock(lock, 20_000);
  await it.by(present, former).anew();
  expect(it.kept.entries.get(name)).toBe(before);
  await it.cache.unlock(lock, 'held');
  await it.by(present, former).anew();
  expect(it.kept.entries.get(name)).not.toBe(before);
});

test('a renewal that began before the token was closed anew still keeps the new one', async () => {
  const it = await filled();
  const { secrets } = it.by(present, former);
  const held = await secrets.refreshToken(shop);
  if (!held) throw new Error('there is none');
  const move = secrets.renewal(shop, held, 'R2');
  await it.by(present, former).anew();
  expect(await move()).toBe(true);
  expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R2', at });
});

test('a process that has only the former key does not take the secrets of the present one for none', async () => {
  const it = await filled();
  await it.by(present, former).anew();
  const { seal, secrets } = it.by(former);
  const { clock, cache } = it;
  const process = () =>
    createComponentTokens(vendor, { send: scriptedSend(), clock, cache, log: recordLog(), secrets, seal });
  expect(await process().of(shop).get()).toMatchObject({ is: 'token-lost' });
  it.kept.entries.delete(`wechat/${vendor.appId}/refresh/${shop}`);
  expect(await process().of(shop).get()).toMatchObject({ is: 'no-credentials' });
  await secrets.keepRefreshToken(shop, { secret: 'R1', at });
  expect(await process().of(shop).get()).toMatchObject({ is: 'token-lost' });
});
