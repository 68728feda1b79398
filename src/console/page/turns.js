/** Events put together to the waits that they belong to. */

/** What comes so soon after a wait is its end's: the call that takes typing away (ms). */
export const afterMs = 30_000;

/**
 * Newest first. `turn` null: what belongs to no wait. `begun`: when the message came, also where that is known from its
 * end only; `ended`: its notice, or null.
 *
 * @param entries of the journal, newest first
 */
export function turnsOf(entries) {
  // Several processes write at once: the order of the records is not quite that of what happened.
  const ascending = entries.toSorted((a, b) => a.notice.at - b.notice.at);
  const turns = new Map();
  for (const { notice } of ascending) note(turns, notice);
  const loose = [];
  for (const entry of ascending) {
    const places = placesOf([...turns.values()], entry.notice);
    for (const place of places) place.entries.push(entry);
    if (places.length === 0) loose.push(entry);
  }
  return [...turns.values(), ...runsOf(loose, turns)].sort((a, b) => b.begun - a.begun);
}

function keyOf({ channel, account, turn }) {
  return `${channel}/${account}/${turn}`;
}

function note(turns, notice) {
  const { is, at, channel, account, user, turn } = notice;
  if (!['inbound', 'skipped', 'ended'].includes(is)) return;
  const key = keyOf(notice);
  const known = turns.get(key) ?? { key, turn, channel, account, user, ...blank() };
  turns.set(key, known);
  if (is === 'inbound') known.arrival ??= notice;
  if (is === 'skipped') known.skipped = notice;
  if (is === 'ended') known.ended = notice;
  known.begun = Math.min(known.begun, is === 'ended' ? at - notice.waitMs : at);
  known.over =
    known.ended?.at ?? (known.skipped || known.arrival?.opensTurn === false ? known.begun : Infinity);
}

function blank() {
  return { entries: [], arrival: null, skipped: null, ended: null, begun: Infinity, over: Infinity };
}

/** A call is for every message that waits; without one, for the last that did. */
function placesOf(turns, notice) {
  const own = turns.filter(({ key }) => typeof notice.turn === 'string' && key === keyOf(notice));
  if (own.length > 0 || typeof notice.user !== 'string') return own;
  const { at } = notice;
  const theirs = turns.filter((turn) => sameUser(turn, notice) && turn.begun <= at);
  const open = theirs.filter(({ over }) => at <= over);
  if (open.length > 0) return open;
  const last = theirs.sort((a, b) => a.over - b.over).at(-1);
  return last && at - last.over <= afterMs ? [last] : [];
}

function sameUser(one, other) {
  return one.channel === other.channel && one.account === other.account && one.user === other.user;
}

/** What belongs to no wait, cut where a wait stands between. */
function runsOf(loose, turns) {
  const cuts = [...turns.values()].map(({ begun }) => begun);
  const runs = [];
  for (const entry of loose) {
    const last = runs.at(-1);
    const { at } = entry.notice;
    if (last && !cuts.some((cut) => cut > last.begun && cut <= at)) last.entries.push(entry);
    else runs.push({ key: entry.id, turn: null, ...blank(), entries: [entry], begun: at });
  }
  return runs;
}
