/** What a third-party platform holds of WeChat: everything that is good for one thing, until some time. */

/** Times in ms. */
export interface ComponentRules {
  ticketLifetime: number;
  tokenLifetime: number;
  codeLifetime: number;
  /** Each renewal brings another refresh token; the one before is good for `refreshOverlap` more. No page says when it does. */
  rotates: boolean;
  refreshOverlap: number;
}

export const COMPONENT_RULES: Readonly<ComponentRules> = Object.freeze({
  ticketLifetime: 43_200_000,
  tokenLifetime: 7_200_000,
  codeLifetime: 3_600_000,
  rotates: false,
  refreshOverlap: 300_000,
});

/** Something good for one thing, until then. */
interface Bearer {
  appId: string;
  until: number;
}

export interface LedgerOptions {
  appId: string;
  appSecret: string;
  rules: ComponentRules;
  now: () => number;
  /** A new secret's text. */
  create: (kind: string) => string;
}

/** By their texts. */
export interface Ledger extends LedgerOptions {
  authorised: Set<string>;
  tickets: Map<string, Bearer>;
  own: Map<string, Bearer>;
  codes: Map<string, Bearer>;
  refresh: Map<string, Bearer>;
  access: Map<string, Bearer>;
}

function none(): Map<string, Bearer> {
  return new Map();
}

export function createLedger(options: LedgerOptions): Ledger {
  const held = { tickets: none(), own: none(), codes: none(), refresh: none(), access: none() };
  return { ...options, authorised: new Set(), ...held };
}

/** Makes and notes a new one. */
export function issue(
  state: Ledger,
  kind: 'tickets' | 'own' | 'codes' | 'refresh' | 'access',
  bearer: Bearer,
): string {
  const text = state.create(kind);
  state[kind].set(text, bearer);
  return text;
}

/** What somebody shows is good for, if for anything. */
export function check(
  { now }: Ledger,
  known: ReadonlyMap<string, Bearer>,
  token: unknown,
): Bearer | 'unknown' | 'over' {
  const held = typeof token === 'string' ? known.get(token) : undefined;
  if (held === undefined) return 'unknown';
  return now() < held.until ? held : 'over';
}
