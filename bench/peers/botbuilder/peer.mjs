/**
 * ShowTypingMiddleware in an adapter of a channel, as Bot Framework's docs have it: a push becomes an activity, the
 * middleware's typing activity becomes the platform's typing call. Its period begins when the call before it has ended,
 * so the platform's lifetime can be told to it as it is (its own default, 2 s, is refused six times of seven).
 */
import { ActivityHandler, BotAdapter, ShowTypingMiddleware, TurnContext } from 'botbuilder';

class ChannelAdapter extends BotAdapter {
  constructor({ show, send }) {
    super();
    this.platform = { show, send };
    this.onTurnError = async () => {};
  }

  async sendActivities(context, activities) {
    const { show, send } = this.platform;
    const message = context.activity.channelData;
    for (const { type, text } of activities) {
      if (type === 'typing') await show(message);
      if (type === 'message') await send(message, text);
    }
    return activities.map(() => ({ id: '' }));
  }
}

/** @param {import('../bot.mjs').Platform} platform */
export function create(platform) {
  const adapters = Object.fromEntries(
    Object.entries(platform.lifetime).map(([channel, lifetime]) => [
      channel,
      new ChannelAdapter(platform).use(new ShowTypingMiddleware(0, lifetime)),
    ]),
  );
  const bot = new ActivityHandler();
  bot.onMessage(async (context, next) => {
    await context.sendActivity(await platform.think(context.activity.channelData));
    await next();
  });
  return (message) => {
    const adapter = adapters[message.channel];
    return adapter.runMiddleware(new TurnContext(adapter, activityOf(message)), (context) =>
      bot.run(context),
    );
  };
}

function activityOf(message) {
  const { channel, user, id, text } = message;
  return {
    type: 'message',
    channelId: channel,
    serviceUrl: channel,
    id,
    text,
    from: { id: user },
    recipient: { id: 'bot' },
    conversation: { id: user },
    channelData: message,
  };
}
