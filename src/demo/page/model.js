/** What the page knows: per channel and way the marks of the present wait, and what the server said of it. */
export const channels = ['wechat', 'nxcloud'];
export const ways = ['keeptyping', 'interval', 'once', 'nothing'];

export function createModel() {
  const model = { offset: 0, lanes: {}, from: {}, expected: {}, troubles: [] };
  for (const channel of channels) {
    clearChannel(model, channel);
  }
  return model;
}

/** Nothing has been written there. */
export function clearChannel(model, channel) {
  model.from[channel] = null;
  model.expected[channel] = null;
  model.lanes[channel] = Object.fromEntries(ways.map((way) => [way, emptyLane()]));
}

function emptyLane() {
  return { marks: [], cover: null };
}

/** The server's time. */
export function now(model) {
  return Date.now() + model.offset;
}

/** A wait begins, or goes on with a further message; `expected`: it is not over sooner. */
export function beginTurn(model, { channel, from, expected }) {
  model.expected[channel] = expected;
  if (model.from[channel] === from) return;
  model.from[channel] = from;
  for (const lane of Object.values(model.lanes[channel])) {
    lane.marks = lane.marks.filter(({ at }) => at >= from);
    lane.cover = null;
  }
}

export function addMark(model, mark) {
  model.lanes[mark.channel][mark.way].marks.push(mark);
}

export function addCover(model, { channel, way, ...cover }) {
  model.lanes[channel][way].cover = cover;
}

export function addTrouble(model, { trouble, on, at }) {
  const open = model.troubles.find((one) => one.trouble === trouble && one.to === null);
  if (on && open === undefined) model.troubles.push({ trouble, from: at, to: null });
  if (!on && open !== undefined) open.to = at;
  if (model.troubles.length > 20) model.troubles.shift();
}

/** The marks of the wait that is shown. */
export function marksOf(model, channel, way) {
  const from = model.from[channel] ?? Infinity;
  return model.lanes[channel][way].marks.filter(({ at }) => at >= from);
}

/** Where one way's wait ends so far, and whether it is over. */
export function endOf(model, channel, way) {
  const { cover } = model.lanes[channel][way];
  const over = cover !== null && (cover.answered || cover.lost);
  return { to: over ? cover.to : now(model), over };
}

/** Whether time alone changes the picture: somebody waits, or an indicator is lit. */
export function isMoving(model, channel) {
  if (model.from[channel] === null) return false;
  return ways.some((way) => !endOf(model, channel, way).over || isLit(marksOf(model, channel, way)));
}

function isLit(marks) {
  return marks.findLast(({ what }) => what.startsWith('typing-'))?.what === 'typing-on';
}

/** When the indicator was lit since `from`, as the marks tell; one that is lit now ends now. */
export function litOf(marks, { from, at }) {
  const spans = [];
  let on = null;
  for (const { what, at: when } of marks) {
    if (what === 'typing-on') on ??= when;
    if (what !== 'typing-off') continue;
    // It was on before the wait began.
    if (on !== null || spans.length === 0) spans.push({ from: on ?? from, to: when });
    on = null;
  }
  return on === null ? spans : [...spans, { from: on, to: Math.max(on, at) }];
}

/** The longest time without an indicator within a wait (ms). */
export function longestDark(spans, from, to) {
  const ends = [from, ...spans.map((span) => Math.min(span.to, to))];
  const starts = [...spans.map((span) => Math.min(span.from, to)), to];
  return Math.max(...starts.map((start, index) => start - ends[index]));
}

/** How long an indicator was lit after the wait had ended at `to` (ms). */
export function ghostOf(spans, to) {
  return spans.reduce((sum, span) => sum + Math.max(0, span.to - Math.max(span.from, to)), 0);
}
