/** What holds of every setting, whichever there are: nothing is listed here. */
import { describe, expect, test } from 'vitest';
import {
  describeAccount,
  readRuntimeAccount,
  runtimeFields,
  sealedFields,
  secretFields,
  urlFields,
} from '../../src/config/accounts.ts';
import { variablesOf, sections } from '../../src/config/fields.ts';
import { loadConfig } from '../../src/config/index.ts';
import { processFields } from '../../src/config/settings.ts';
import { about, asJsonSchema, variableOf } from '../../src/config/values.ts';
import { sampleOf } from './samples.ts';

const load = (environment: Record<string, string>) => loadConfig(environment, () => null).config;

const written = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** All that must be set for there to be one. */
const least = {
  wechat: { appId: 'wx1', token: 't', encodingAesKey: 'a'.repeat(43) },
  nxcloud: { accessKey: 'k', accessSecret: 's', appKey: 'a' },
  component: {
    appId: 'wx1',
    token: 't',
    encodingAesKey: 'a'.repeat(43),
    appSecret: 's',
    authorizerTokenUrl: '',
  },
} as const;

function environmentOf(section: keyof typeof least): Record<string, string> {
  return Object.fromEntries(
    Object.entries(least[section]).map(([field, value]) => [
      variableOf(sections[section].prefix, field),
      value,
    ]),
  );
}

const variables = (['wechat', 'nxcloud', 'component'] as const).flatMap((section) =>
  variablesOf(section).map((one) => ({ section, ...one })),
);

test.each(variables)('$variable is read', ({ section, variable, schema }) => {
  const environment = environmentOf(section);
  const config = load({ ...environment, [variable]: written(sampleOf(schema)) });
  const of = section === 'component' ? 'components' : 'accounts';
  expect(config[of]).toHaveLength(1);
  expect(config[of]).not.toEqual(load(environment)[of]);
  expect(config.warnings.filter((warning) => warning.includes(variable))).toEqual([]);
});

/** With what others need beside them. */
const beside = {
  ...environmentOf('wechat'),
  WECHAT_BOT_URL: 'http://bot',
  ACCOUNTS_KEY: '0'.repeat(64),
  BOT_QUEUE: 'answers',
  BOT_TIMEOUT_MS: '500',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector',
};
/** What is read by others, or says only where to read. */
const elsewhere = ['httpsProxy', 'noProxy', 'nodeEnv', 'configDir'];

test.each(
  Object.entries(processFields)
    .filter(([field]) => !elsewhere.includes(field))
    .map(([field, schema]) => ({ variable: variableOf('', field), schema })),
)('$variable is read', ({ variable, schema }) => {
  expect(load({ ...beside, [variable]: written(sampleOf(schema)) })).not.toEqual(load(beside));
});

/** What the control API says of an account that has this beside the least. */
function describeWith(channel: 'wechat' | 'nxcloud', fields: object) {
  const account = { channel, name: 'shop', fields: { ...least[channel], ...fields } };
  const read = readRuntimeAccount(account, { replyDeadlineMs: 1, typingCapMs: 1 });
  if ('faults' in read) throw new Error(read.faults.join());
  return describeAccount(read.account);
}

describe.each(['wechat', 'nxcloud'] as const)('of the fields of an account of %s', (channel) => {
  const fields = Object.entries(sections[channel].schema.shape).map(([field, schema]) => ({ field, schema }));
  const isSecret = ({ field }: { field: string }): boolean => secretFields[channel].includes(field);

  test.each(fields.filter(isSecret))('$field is a secret: it is said that it is set', ({ field, schema }) => {
    const sample = sampleOf(schema);
    const said = describeWith(channel, { [field]: sample });
    expect(said.secrets[field]).toBe('set');
    expect(JSON.stringify(said)).not.toContain(written(sample));
  });

  test.each(fields.filter((each) => !isSecret(each)))('$field is none: it is told', ({ field, schema }) => {
    const { fields: told } = describeWith(channel, { [field]: sampleOf(schema) });
    expect(told).not.toEqual(describeWith(channel, {}).fields);
    // It stands among the rules.
    expect(told).toHaveProperty(field === 'startDelayMs' ? 'rules.startDelay' : field);
  });

  test('what is called a token, a secret or a key is a secret', () => {
    const called = fields.filter(({ field }) => /token|secret|key/i.test(field));
    expect(called.filter((each) => !isSecret(each))).toEqual([]);
  });

  test('what takes nothing but URLs is judged by where it leads, and closed in Redis', () => {
    const urls = fields.filter(
      ({ schema }) =>
        schema.safeParse('https://sample.example/').success && !schema.safeParse('sample').success,
    );
    expect(urlFields[channel]).toEqual(urls.map(({ field }) => field));
    expect(sealedFields[channel]).toEqual(expect.arrayContaining([...urlFields[channel]]));
  });

  test.each(fields)("$field stands in the control API's document", ({ field, schema }) => {
    const { properties = {} } = asJsonSchema(runtimeFields[channel]);
    expect(properties[field]).toMatchObject({ description: about.get(schema)?.en });
  });
});
