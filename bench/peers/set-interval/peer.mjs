/**
 * What a bot does without any package. The interval is the platform's lifetime and a second more, which is the best
 * that can be told to a timer that knows nothing of the way to the API: shorter, and WeChat refuses every other call.
 */
const margin = 1_000;

/** @param {import('../bot.mjs').Platform} platform */
export function create({ think, show, send, lifetime }) {
  return async (message) => {
    const type = () => void show(message).catch(() => {});
    type();
    const timer = setInterval(type, lifetime[message.channel] + margin);
    try {
      await send(message, await think(message));
    } finally {
      clearInterval(timer);
    }
  };
}
