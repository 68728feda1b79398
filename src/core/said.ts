import type { chinese } from './chinese.ts';

declare const isSaid: unique symbol;

/** A sentence for whoever looks after keeptyping: in English, and there is a Chinese one for it. */
export type Said = string & { readonly [isSaid]: true };

type Sentence = keyof typeof chinese;

type NamesIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

type ValuesOf<Text extends string> = [NamesIn<Text>] extends [never]
  ? []
  : [Readonly<Record<NamesIn<Text>, string | number>>];

/** What is to be said goes through here: the compiler takes no sentence that `chinese` does not have. */
export function said<const English extends Sentence>(english: English, ...values: ValuesOf<English>): Said {
  const [given] = values as [Readonly<Record<string, string | number>>?];
  return english.replace(/\{(\w+)\}/g, (name, key: string) => String(given?.[key] ?? name)) as Said;
}

/** Sentences that belong together. */
export function saidTogether(...all: readonly (Said | null)[]): Said {
  return all.filter((one) => one !== null).join(' ') as Said;
}

/** What is wrong, which has no stop, and what mends it. */
export function saidWithRemedy(says: Said, remedy: Said | ''): Said {
  return (remedy === '' ? `${says}.` : `${says}. ${remedy}`) as Said;
}

/** What was said elsewhere: by another process, which may be of another release, or of what somebody has configured. */
export function saidElsewhere(text: string): Said {
  return text as Said;
}
