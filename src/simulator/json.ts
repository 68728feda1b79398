/** Reading JSON that others wrote. */
import { z } from 'zod';

const RECORD = z.record(z.string(), z.unknown());

export type JsonObject = Record<string, unknown>;

/** The object that the text holds; null for anything else. */
export function readObject(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): JsonObject | null {
  const parsed = RECORD.safeParse(value);
  return parsed.success ? parsed.data : null;
}

export function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
