/** A Redis that keeptyping started itself. */
export interface BundledServer {
  /** `redis://…`; a private server's holds its password. */
  url: string;
  /** Ends it and resolves when nothing of it is left running. */
  stop(): Promise<void>;
}
