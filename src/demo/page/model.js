/** What the page knows: per channel and way the marks of the present wait, and what the server said of it. */
export const channels = ['wechat', 'nxcloud'];
export const ways = ['keeptyping', 'interval', 'nothing'];

export function createModel() {
  const model = { offset: 0, lanes: {}, from: {}, troubles: [] };
  for (const channel of channels) {
    model.from[channel] = null;
    model.lanes[channel] = Object.fromEntries(ways.map((way) => [way, emptyLane()]));
  }
  return model;
}

function emptyLane() {
  return { marks: [], cover: null };
}

/** The server's time. */
export function now(model) {
  return Date.now() + model.offset;
}

/** A wait begins, or goes on with a further message. */
export function beginTurn(model, { channel, from }) {
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

export function isWaiting(model, channel) {
  return model.from[channel] !== null && ways.some((way) => !endOf(model, channel, way).over);
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
