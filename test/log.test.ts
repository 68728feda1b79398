import { describe, expect, test } from 'vitest';
import { createLog, type LogFormat, type LogLevel } from '../src/log.ts';

function record(level: LogLevel, format: LogFormat) {
  const lines: string[] = [];
  const destination = {
    write: (line: string) => {
      lines.push(line);
    },
  };
  return { lines, log: createLog({ level, format }, destination) };
}

describe('the log', () => {
  test('writes one JSON object a line, with fields and message', () => {
    const { lines, log } = record('info', 'json');
    log.info({ account: 'shop', status: 200 }, 'Push taken.');
    log.debug({}, 'Not asked for.');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 30,
      account: 'shop',
      status: 200,
      msg: 'Push taken.',
    });
  });

  test('writes lines to read where that is asked for, at once', () => {
    const { lines, log } = record('debug', 'pretty');
    log.debug({ account: 'shop' }, 'Push taken.');
    expect(lines.join('')).toMatch(/DEBUG.*: Push taken\.\n\s+account: "shop"/);
  });

  test('is silent when told so', () => {
    const { lines, log } = record('silent', 'json');
    log.error({}, 'Nobody hears.');
    expect(lines).toEqual([]);
  });

  test('hides what slipped into its fields', () => {
    const { lines, log } = record('info', 'json');
    const account = { appSecret: 'S1', tokens: ['S2'], encodingAesKeys: ['S3'], accessSecrets: ['S4'] };
    log.warn({ token: 'S5', account, deep: { account }, headers: { authorization: 'S6' } }, 'Look.');
    expect(lines[0]).toContain('[hidden]');
    expect(lines[0]).not.toMatch(/S\d/);
  });

  test('writes of an error what it says, not what hangs on it', () => {
    const { lines, log } = record('info', 'json');
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const error = Object.assign(new Error('POST https://api/x?access_token=S1&y=1 failed', { cause }), {
      command: { name: 'evalsha', args: ['S2'] },
      config: { data: 'S3' },
    });
    log.error({ err: error }, 'The call failed.');
    const { err } = JSON.parse(lines[0] ?? '');
    expect(err).toEqual({
      type: 'Error',
      message: 'POST https://api/x?access_token=[hidden]&y=1 failed',
      cause: expect.objectContaining({ message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' }),
      stack: expect.stringContaining('log.test.ts'),
    });
    expect(lines[0]).not.toMatch(/S[123]/);
  });
});
