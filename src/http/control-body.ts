import bodyParser from 'body-parser';
import type { Request, Response } from 'express';

export type ReadBody =
  { is: 'body'; body: unknown } | { is: 'refusal'; status: 400 | 413 | 415; error: string };

export type BodyReader = (request: Request, response: Response) => Promise<ReadBody>;

/** Reads a body of JSON of so many kB at most; none is {}. */
export function createBodyReader(kilobytes: number): BodyReader {
  // Whatever the content type: there is nothing but JSON to be sent here.
  const limit = kilobytes * 1024;
  const parse = bodyParser.json({ limit, strict: true, inflate: false, type: () => true });
  return (request, response) =>
    new Promise((resolve) => {
      parse(request, response, (fault?: unknown) => {
        const body: unknown = request.body ?? {};
        resolve(fault === undefined ? { is: 'body', body } : refusalOf(fault, kilobytes));
      });
    });
}

/** The same with 16 kB. */
export const readBody = createBodyReader(16);

function refusalOf(fault: unknown, kilobytes: number): ReadBody {
  const status = typeof fault === 'object' && fault !== null && 'status' in fault ? fault.status : 400;
  if (status === 413) return refusal(413, `The body is longer than ${kilobytes} kB.`);
  if (status === 415) return refusal(415, 'The body is compressed, or no UTF-8: send it as it is.');
  return refusal(
    400,
    'The body is no JSON object: send {} or one of the shape that /openapi.json describes.',
  );
}

function refusal(status: 400 | 413 | 415, error: string): ReadBody {
  return { is: 'refusal', status, error };
}
