/** The job has to come again after a while; it is no failure. */
export class Postponed extends Error {
  override readonly name = 'Postponed';
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`Again in ${waitMs} ms.`);
    this.waitMs = waitMs;
  }
}
