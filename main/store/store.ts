/** The station's database. */
export interface Store {
  close(): void;
}
