/**
 * AgentApplication's typing timer with an adapter whose activities go to the platform: `startTypingTimer` and, as its
 * options provide for each channel, the platform's lifetime as the interval (its own default is 4 s).
 */
import { Activity } from '@microsoft/agents-activity';
import { AgentApplication, CloudAdapter, MemoryStorage, TurnContext } from '@microsoft/agents-hosting';

class ChannelAdapter extends CloudAdapter {
  constructor({ show, send }) {
    super({ clientId: 'unused' });
    this.platform = { show, send };
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
  const adapter = new ChannelAdapter(platform);
  const app = new AgentApplication({
    adapter,
    storage: new MemoryStorage(),
    startTypingTimer: true,
    typing: {
      channelStrategies: Object.fromEntries(
        Object.entries(platform.lifetime).map(([channel, intervalMs]) => [channel, { intervalMs }]),
      ),
    },
  });
  app.onActivity('message', async (context) => {
    await context.sendActivity(await platform.think(context.activity.channelData));
  });
  return (message) =>
    adapter.runMiddleware(new TurnContext(adapter, activityOf(message)), (context) => app.run(context));
}

function activityOf(message) {
  const { channel, user, id, text } = message;
  return Activity.fromObject({
    type: 'message',
    channelId: channel,
    serviceUrl: channel,
    id,
    text,
    from: { id: user },
    recipient: { id: 'bot' },
    conversation: { id: user },
    channelData: message,
  });
}
