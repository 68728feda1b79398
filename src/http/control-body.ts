import bodyParser from 'body-parser';
import type { Request, Response } from 'express';

export type ReadBody =
  { is: 'body'; body: unknown } | { is: 'refusal'; status: 400 | 413 | 415; error: string };

/** Whatever the content type: there is nothing but JSON to be sent here. In bytes: 16 kB. */
const parse = bodyParser.json({ limit: 16 * 1024, strict: true, inflate: false, type: () => true });

/** Reads a body of JSON; none is {}. */
export function readBody(request: Request, response: Response): Promise<ReadBody> {
  return new Promise((resolve) => {
    parse(request, response, (fault?: unknown) => {
      const body: unknown = request.body ?? {};
      resolve(fault === undefined ? { is: 'body', body } : refusalOf(fault));
    });
  });
}

function refusalOf(fault: unknown): ReadBody {
  const status = typeof fault === 'object' && fault !== null && 'status' in fault ? fault.status : 400;
  if (status === 413) return refusal(413, 'The body is longer than 16 kB.');
  if (status === 415) return refusal(415, 'The body is compressed, or no UTF-8: send it as it is.');
  return refusal(
    400,
    'The body is no JSON object: send {} or one of the shape that /openapi.json describes.',
  );
}

function refusal(status: 400 | 413 | 415, error: string): ReadBody {
  return { is: 'refusal', status, error };
}
