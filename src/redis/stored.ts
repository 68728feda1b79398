/**
 * What comes out of Redis is unknown until it is parsed: another release may have written it, or a hand. Two releases
 * stand side by side during a rolling deploy, so each reads what the other writes:
 *
 * - A field that a shape does not know is kept (`open`), where the value is written back.
 * - A field that is new has a default in its schema: the release before does not write it.
 * - A word that is only passed on (what ended a turn) may be a new one (`word`); one that decides something may not: the
 *   release that first reads it comes before the one that first writes it.
 */
import { z } from 'zod';
import { jsonOf } from '../core/wire.ts';

/** null: it is no JSON, or not of that shape. Never throws. */
export function readStored<Schema extends z.ZodType>(
  schema: Schema,
  text: string | null,
): z.output<Schema> | null {
  if (text === null) return null;
  const read = schema.safeParse(jsonOf(text));
  return read.success ? read.data : null;
}

/** So many names are remembered. */
const remembered = 1_000;

/** Whether a name is said for the first time: what cannot be read is read again and again, and one line is enough. */
export function createOnce(): (name: string) => boolean {
  const said = new Set<string>();
  return (name) => {
    if (said.has(name)) return false;
    if (said.size >= remembered) said.clear();
    said.add(name);
    return true;
  };
}

/** An object whose unknown fields are kept. The type does not name them: nobody here may use them. */
export function openObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.looseObject(shape) as unknown as z.ZodObject<Shape>;
}

/** One of the words that this release knows, or one that another one does. */
export function word<Word extends string>() {
  return z.string() as unknown as z.ZodType<Word>;
}

/** Not only assignable to each other: an optional field that one lacks would pass. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- TypeScript compares types exactly in no other way
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Ties a schema to the type that it is of: what is added to one alone, removed or renamed, does not compile. */
export function schemaOf<Type>() {
  return <Schema extends z.ZodType>(
    schema: Same<z.output<Schema>, Type> extends true ? Schema : { the: 'schema'; is: 'not of the type' },
  ): Schema => schema as Schema;
}
