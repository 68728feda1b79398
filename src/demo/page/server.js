/** Asks the server, and hears of what happens. */
const stored = 'keeptyping-visitor';
const retryMs = 3_000;

/**
 * @param heard by the name of an event: what to do with its data
 * @param said called with null when all is well, else with what is wrong: `cut`, `full`
 */
export function connect(heard, said) {
  const state = { visitor: recall(), heard, said, entering: null };
  state.entering = open(state);
  return {
    write: (message) => post(state, 'messages', message),
    trouble: (trouble) => post(state, 'troubles', { trouble }),
  };
}

async function open(state) {
  const later = (wrong) => {
    state.said(wrong);
    setTimeout(() => {
      state.entering = open(state);
    }, retryMs);
  };
  if (state.visitor === null) {
    const entered = await ask('/demo/visitors', {});
    if (!entered.ok) return later(entered.refusal);
    state.visitor = entered.visitor;
    remember(state.visitor);
  }
  const source = new EventSource(`/demo/visitors/${state.visitor}/events`);
  for (const [name, hear] of Object.entries(state.heard)) {
    source.addEventListener(name, ({ data }) => hear(JSON.parse(data)));
  }
  source.addEventListener('open', () => state.said(null));
  source.addEventListener('error', () => {
    // Else the browser tries again by itself.
    if (source.readyState !== EventSource.CLOSED) return state.said('cut');
    state.visitor = null;
    later('cut');
  });
}

/** Resolves with null, or what is wrong. */
async function post(state, what, body) {
  await state.entering;
  if (state.visitor === null) return 'cut';
  const { ok, refusal } = await ask(`/demo/visitors/${state.visitor}/${what}`, body);
  return ok ? null : refusal;
}

async function ask(path, body) {
  const headers = { 'content-type': 'application/json' };
  try {
    const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { refusal: 'cut', ...(await response.json()), ok: response.ok };
  } catch {
    return { ok: false, refusal: 'cut' };
  }
}

// A reload goes on where the visitor was; browsers may forbid to remember.
function recall() {
  try {
    return sessionStorage.getItem(stored);
  } catch {
    return null;
  }
}

function remember(visitor) {
  try {
    sessionStorage.setItem(stored, visitor);
  } catch {
    // The visit lasts as long as the page.
  }
}
