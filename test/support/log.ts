import type { Log } from '../../src/core/ports.ts';

export interface LogLine {
  level: keyof Log;
  fields: object;
  message: string;
}

/** A log that keeps its lines. */
export interface RecordedLog extends Log {
  lines: LogLine[];
}

export function recordLog(): RecordedLog {
  const lines: LogLine[] = [];
  const at = (level: keyof Log) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
