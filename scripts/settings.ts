/**
 * Everything that lists settings, made of their schemas: `npm run docs:settings` writes it, a test holds it. Between
 * `<!-- name: npm run docs:settings -->` and `<!-- /name -->` a page is written anew; the rest of it is somebody's own.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { secretFields, urlFields } from '../src/config/accounts.ts';
import {
  componentFields,
  nxcloudFields,
  type Variable,
  variablesOf,
  templateFields,
  wechatFields,
} from '../src/config/fields.ts';
import { processFields } from '../src/config/settings.ts';
import { type About, about, rules, variableOf } from '../src/config/values.ts';
import { nxcloudRules } from '../src/nxcloud/rules.ts';
import { wechatRules } from '../src/wechat/rules.ts';

type Language = 'en' | 'zh';

interface Line {
  field: string;
  variable: string;
  said: About;
  /** As somebody would write it; null: there is none. */
  preset: string | null;
}

function lineOf({ field, variable, schema }: Pick<Variable, 'field' | 'variable' | 'schema'>): Line[] {
  const said = about.get(schema);
  return said ? [{ field, variable, said, preset: presetOf(schema, said) }] : [];
}

function presetOf(schema: z.ZodType, { unset }: About): string | null {
  if (typeof unset === 'string' && !unset.startsWith('`')) return unset;
  const value = unset === undefined ? schema.safeParse(undefined).data : null;
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const ofProcess = Object.entries(processFields).flatMap(([field, schema]) =>
  lineOf({ field, variable: variableOf('', field), schema }),
);
const ofWechat = variablesOf('wechat').flatMap(lineOf);
const ofNxcloud = variablesOf('nxcloud').flatMap(lineOf);
const ofComponent = variablesOf('component')
  .filter(({ inTemplate }) => !inTemplate)
  .flatMap(lineOf);
const ofTemplate = variablesOf('component')
  .filter(({ inTemplate }) => inTemplate)
  .flatMap(lineOf);

/** Both channels have it. */
function isShared({ field }: Line): boolean {
  return Reflect.get(wechatFields.shape, field) === Reflect.get(nxcloudFields.shape, field);
}

const code = (text: string): string => `\`${text}\``;

function row(names: string, { said, preset }: Pick<Line, 'said' | 'preset'>, language: Language): string {
  const shown = typeof said.unset === 'object' ? said.unset[language] : (said.unset ?? preset ?? '–');
  return `| ${names} | ${shown} | ${said[language]} |`;
}

function settingsTable(language: Language): string {
  const own = (lines: Line[]): string[] =>
    lines.filter((line) => !isShared(line)).map((line) => row(code(line.variable), line, language));
  const shared = ofWechat
    .filter(isShared)
    .map((line) => row(code(line.variable.replace('WECHAT', '*')), line, language));
  const template = about.get(componentFields.shape.template);
  const names = listed(
    ofTemplate.map(({ variable }) => variable),
    language,
  );
  return [
    language === 'en' ? '| variable | default | |' : '| 变量 | 默认值 | |',
    '|---|---|---|',
    ...ofProcess.map((line) => row(code(line.variable), line, language)),
    ...own(ofWechat),
    ...ofComponent.map((line) => row(code(line.variable), line, language)),
    ...(template ? [row(names, { said: template, preset: null }, language)] : []),
    ...own(ofNxcloud),
    ...shared,
  ].join('\n');
}

/** Without Markdown, for a file that shows none. */
function plain(text: string): string {
  return withoutLinks(text).replaceAll('`', '');
}

function withoutLinks(text: string): string {
  return text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
}

/** Links lead from the root, where .env.example and app.json are; a page in docs/ has its neighbours beside it. */
function fromDocs(text: string): string {
  return text.replace(/(?<=\[|\]\()docs\//g, '');
}

function sentence(text: string): string {
  return plain(text.charAt(0).toUpperCase() + text.slice(1));
}

const assignment = ({ variable, preset }: Line): string => `#${variable}=${preset ?? ''}`;

function environmentExample(): string {
  const lines = (all: Line[]): string[] =>
    all.flatMap((line) => [
      `# ${sentence(line.said.en)}${line.said.en.endsWith('}`') ? '' : '.'}`,
      assignment(line),
    ]);
  return [
    '# Copy to .env and fill in. npm start, npm run doctor, npm run replies and docker compose read it;',
    '# a web or a worker of its own does not: node --env-file=.env dist/web.js',
    '# A value shown is the default. Several accounts: config/README.md.',
    '\n## The process',
    ...lines(ofProcess),
    '\n## WeChat',
    ...lines(ofWechat),
    '\n## A WeChat third-party platform (docs/component.md)',
    ...lines(ofComponent),
    "# The template of all its accounts; {appid} may stand in the bot's URL. The rest is as for WECHAT_….",
    ...ofTemplate.map(assignment),
    '\n## WhatsApp through NXCloud',
    ...lines(ofNxcloud),
    '',
  ].join('\n');
}

function herokuEntry(line: Line, before = ''): [string, object][] {
  const { heroku = {}, en, unset } = line.said;
  if (heroku === false) return [];
  const preset = typeof unset === 'object' ? unset.en : (unset ?? line.preset);
  const shown = preset === null || /^[{[]/.test(preset) ? '' : ` (default ${plain(preset)})`;
  return [[line.variable, { description: `${before}${sentence(en)}${shown}`, ...heroku, required: false }]];
}

function herokuEnvironment(): object {
  return Object.fromEntries([
    ...[...ofProcess, ...ofWechat, ...ofComponent].flatMap((line) => herokuEntry(line)),
    ...ofTemplate.flatMap((line) => herokuEntry(line, 'All accounts behind the third-party platform: ')),
    ...ofNxcloud.flatMap((line) => herokuEntry(line)),
  ]);
}

function componentTable(language: Language): string {
  const [head, colon] = language === 'en' ? ['field', ': '] : ['字段', '：'];
  const rows = ofComponent.map(
    ({ field, said }) => `| ${code(field)} | ${withoutLinks(said[language]).replace(/^JSON(: |：)/, '')} |`,
  );
  const said = about.get(componentFields.shape.template)?.[language];
  const template = listed(Object.keys(templateFields.shape), language);
  return [`| ${head} | |`, '|---|---|', ...rows, `| \`template\` | ${said}${colon}${template} |`].join('\n');
}

function rulesTable(): string {
  const rows = Object.entries(rules.shape).map(([name, schema]) => {
    const of = (platform: typeof wechatRules): string =>
      name === 'hideRetry' && !platform.hides ? '–' : JSON.stringify(Reflect.get(platform, name));
    return `| ${code(name)} | ${of(wechatRules)} | ${of(nxcloudRules)} | ${schema.description} |`;
  });
  return ['| rule | WeChat | WhatsApp | |', '|---|---|---|---|', ...rows].join('\n');
}

function accountsLists(text: string, language: Language): string {
  const urls = [...new Set([...urlFields.wechat, ...urlFields.nxcloud])];
  const [wechat, nxcloud] = [listed(secretFields.wechat, language), listed(secretFields.nxcloud, language)];
  const secrets =
    language === 'en' ? `${wechat}, and on NXCloud ${nxcloud}` : `${wechat}，牛信云上是 ${nxcloud}`;
  return fill(fill(text, 'secrets', secrets), 'urls', listed(urls, language));
}

function listed(names: readonly string[], language: Language): string {
  return names.map(code).join(language === 'en' ? ', ' : '、');
}

function fill(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name}: npm run docs:settings -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${start} … ${end} is missing`);
  return text.slice(0, from + start.length) + content + text.slice(to);
}

const table = (content: string): string => `\n\n${content}\n\n`;

/** What each file is to hold, given what it holds. */
export const files: Readonly<Record<string, (text: string) => string>> = {
  'docs/settings.md': (text) => fill(text, 'settings', table(fromDocs(settingsTable('en')))),
  'docs/settings.zh-CN.md': (text) => fill(text, 'settings', table(fromDocs(settingsTable('zh')))),
  '.env.example': environmentExample,
  'app.json': (text) => {
    const app: object = JSON.parse(text);
    const env = JSON.stringify({ env: herokuEnvironment() }, null, 2).slice(1, -2);
    return text.replace(/\n  "env": \{[^]*?\n  \}/, () => ('env' in app ? env : ''));
  },
  'config/README.md': (text) => fill(text, 'rules', table(rulesTable())),
  'docs/component.md': (text) => fill(text, 'fields', table(componentTable('en'))),
  'docs/component.zh-CN.md': (text) => fill(text, 'fields', table(componentTable('zh'))),
  'docs/accounts.md': (text) => accountsLists(text, 'en'),
  'docs/accounts.zh-CN.md': (text) => accountsLists(text, 'zh'),
};

/** By the name of the file. */
export const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, written] of Object.entries(files))
    writeFileSync(pathOf(name), written(readFileSync(pathOf(name), 'utf8')));
