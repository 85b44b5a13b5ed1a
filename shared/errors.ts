/**
 * An error whose message is written for the person who reads it: it names the thing and the remedy.
 * The command line prints `message` alone (no stack); any other error is a defect of the program.
 */
export class UserError extends Error {
  readonly code: string;
  readonly remedy: string | undefined;

  /**
   * @param code   short camelCase word, stable for scripts, e.g. `pictureUnreadable`
   * @param what   what happened, naming the thing
   * @param remedy what the person can do about it
   */
  constructor(code: string, what: string, remedy?: string, options?: ErrorOptions) {
    super(remedy === undefined ? what : `${what} ${remedy}`, options);
    this.name = 'UserError';
    this.code = code;
    this.remedy = remedy;
  }
}
