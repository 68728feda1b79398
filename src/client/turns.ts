/** One `during` that has not ended. */
export interface Holder {
  messageId: string | undefined;
  /** The turn that its start opened or joined; null: no answer came, so nobody knows. */
  turn: string | null;
}

/** The turns of one conversation that this process waits for. */
export interface Held {
  holders: Set<Holder>;
  /** A turn may be open that no holder will end: with the last holder all turns of the user have to. */
  unsure: boolean;
}

/** What ends with a holder. */
export type Ending = 'nothing' | 'its turn' | 'its message' | 'all';

/**
 * Lets one holder go: its own turn ends, unless another holder waits for the same one. Where that cannot be known, it
 * ends later, with the last holder: until then the user sees typing in any case.
 */
export function letGo(held: Held, holder: Holder): Ending {
  if (!held.holders.delete(holder)) return 'nothing';
  const others = [...held.holders];
  if (others.some((other) => shareTurn(other, holder))) return 'nothing';
  held.unsure ||= isNameless(holder) || others.some((other) => mayShareTurn(other, holder));
  if (!held.unsure) return holder.turn === null ? 'its message' : 'its turn';
  if (others.length > 0) return 'nothing';
  held.unsure = false;
  return 'all';
}

function isNameless({ messageId, turn }: Holder): boolean {
  return messageId === undefined && turn === null;
}

function shareTurn(one: Holder, other: Holder): boolean {
  const sameMessage = one.messageId !== undefined && one.messageId === other.messageId;
  return sameMessage || (one.turn !== null && one.turn === other.turn);
}

/** A start that names no message joins the user's newest turn, whosever that is. */
function mayShareTurn(one: Holder, other: Holder): boolean {
  const oneUnknown = one.turn === null || other.turn === null;
  return oneUnknown && (one.messageId === undefined || other.messageId === undefined);
}
