/** Asks the server, and hears of what changes. The token goes to the server once; its cookie is out of reach from here. */
const api = '/console/api/';
const firstRetryMs = 1_000;
const longestRetryMs = 10_000;
/** A connection that was cut without a word says nothing any more, not even its heartbeat of 15 s: it is made anew after this. */
const silentMs = 40_000;

/** Resolves with `status` 0 when nothing answers, `body` null where it is no JSON. */
export async function ask(method, path, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  try {
    const response = await fetch(api + path, { method, headers, ...sent, credentials: 'same-origin' });
    const text = await response.text();
    return { status: response.status, ok: response.ok, body: read(text) };
  } catch {
    return { status: 0, ok: false, body: null };
  }
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function pathOf({ channel, account, user }) {
  return ['conversations', channel, account, user].map(encodeURIComponent).join('/');
}

/**
 * @param heard by the name of an event: what to do with its data
 * @param line `begin`: all is told anew; `cut`: nothing more is heard, it is tried again; `over`: not logged in
 * @returns what ends it
 */
export function connect(heard, line) {
  const state = { heard, line, source: null, timer: 0, wait: firstRetryMs, over: false };
  open(state);
  return () => {
    state.over = true;
    clearTimeout(state.timer);
    state.source.close();
  };
}

function open(state) {
  const source = new EventSource(`${api}events`);
  const { heard, line } = state;
  let begun = false;
  state.source = source;
  const listen = () => {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => again(state, source), silentMs);
    if (!begun) line.begin();
    begun = true;
  };
  source.addEventListener('open', () => {
    state.wait = firstRetryMs;
    listen();
  });
  source.addEventListener('heartbeat', listen);
  for (const [name, hear] of Object.entries(heard)) {
    source.addEventListener(name, ({ data }) => {
      listen();
      hear(JSON.parse(data));
    });
  }
  source.addEventListener('error', () => void failed(state, source));
}

function again(state, source) {
  source.close();
  open(state);
}

async function failed(state, source) {
  const refused = source.readyState === EventSource.CLOSED;
  source.close();
  clearTimeout(state.timer);
  state.line.cut();
  // An EventSource does not tell why it was refused.
  const denied = refused && (await ask('GET', 'failed')).status === 401;
  if (state.over) return;
  if (denied) return state.line.over();
  state.timer = setTimeout(() => open(state), state.wait);
  state.wait = Math.min(state.wait * 2, longestRetryMs);
}
