export type { Conversation, Message, PauseOptions } from './orders.ts';
export { TypingError, type OrderName } from './orders.ts';
export { createTyping, type Typing, type TypingOptions } from './typing.ts';
