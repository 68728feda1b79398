/**
 * grammY with its plugin: a push becomes a Telegram update, `ctx.chatAction = 'typing'` starts the plugin's loop (every
 * 5 s, which cannot be set), and a transformer, grammY's own plug for API calls, turns what it calls into the
 * platform's calls.
 */
import { autoChatAction } from '@grammyjs/auto-chat-action';
import { Bot } from 'grammy';

const botInfo = { id: 1, is_bot: true, first_name: 'bot', username: 'bot' };

/** @param {import('../bot.mjs').Platform} platform */
export function create({ think, show, send }) {
  const bot = new Bot('1:unused', { botInfo });
  // Telegram's chats are numbers; each update here carries the message that it was made of.
  const chats = new Map();
  const chatOf = ({ channel, user }) => {
    const name = `${channel} ${user}`;
    if (!chats.has(name)) chats.set(name, chats.size + 1);
    return chats.get(name);
  };
  bot.use(async (context, next) => {
    const { message } = context.update;
    context.api.config.use(async (_previous, method, { text }) => {
      if (method === 'sendChatAction') await show(message.asked);
      if (method === 'sendMessage') await send(message.asked, text);
      return { ok: true, result: true };
    });
    await next();
  });
  bot.use(autoChatAction());
  bot.on('message', async (context) => {
    context.chatAction = 'typing';
    await context.reply(await think(context.update.message.asked));
  });
  let updates = 0;
  return async (asked) => {
    updates += 1;
    const chat = { id: chatOf(asked), type: 'private', first_name: 'user' };
    const from = { id: chat.id, is_bot: false, first_name: 'user' };
    const message = { message_id: updates, date: 0, chat, from, text: asked.text, asked };
    await bot.handleUpdate({ update_id: updates, message });
  };
}
