/** What is asked of the doctor. */
export interface Wanted {
  json: boolean;
  help: boolean;
  /** Real messages are sent to the bots and through the webhook URL. */
  push: boolean;
  /** Where the platforms find keeptyping, without a slash at the end; null: this machine is tried. */
  webhookBase: string | null;
}

export const usage = `Usage: npm run doctor -- [--json] [--webhook <public base URL>] [--push]
  --json      one JSON document instead of lines
  --webhook   where the platforms find keeptyping: https://typing.example.com (or WEBHOOK_URL)
  --push      also sends a text message of a user who does not exist to each bot, and one through each webhook
`;

/** Reads the command line; a fault is one sentence. */
export function readArguments(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Wanted | { fault: string } {
  const wanted: Wanted = { json: false, help: false, push: false, webhookBase: null };
  let address = environment['WEBHOOK_URL'] || null;
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', value] = (words[at] ?? '').split(/=(.*)/s);
    if (word === '--json') wanted.json = true;
    else if (word === '--push') wanted.push = true;
    else if (word === '--help' || word === '-h') wanted.help = true;
    else if (word === '--webhook') address = value ?? words[(at += 1)] ?? '';
    else return { fault: `${word} is no option of the doctor: see --help.` };
  }
  if (address === null) return wanted;
  const webhookBase = baseOf(address);
  return webhookBase === null
    ? { fault: 'The webhook URL must be a whole URL that begins with https:// or http://.' }
    : { ...wanted, webhookBase };
}

/** Whoever gives the whole webhook URL means its base. */
function baseOf(address: string): string | null {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return null;
  return address.replace(/[?#].*$/s, '').replace(/(\/webhooks(\/.*)?|\/+)$/, '');
}
