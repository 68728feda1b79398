import type { z } from 'zod';

/** One sentence for what a schema did not take: the first fault, with the name of what it is about. */
export function faultOf(where: 'body' | 'query', { issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue?.code === 'unrecognized_keys') {
    const name = JSON.stringify(String(issue.keys[0]).slice(0, 60));
    return `The ${where} holds ${name}, which means nothing here: see /openapi.json for what it takes.`;
  }
  if (issue === undefined || issue.path.length === 0)
    return `The ${where} is no object: send {} or one of the shape that /openapi.json describes.`;
  return `${issue.path.join('.')} ${issue.message}.`;
}
