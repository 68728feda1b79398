export type { Conversation, Message, PauseOptions } from './conversation.ts';
export { TypingError, type OrderName } from './error.ts';
export { createTyping, type Typing, type TypingOptions } from './typing.ts';
