/** The flags that were given, checked. */
export class FlagValues {
  readonly #given: ReadonlyMap<string, readonly string[]>;

  constructor(given: ReadonlyMap<string, readonly string[]>) {
    this.#given = given;
  }

  /** Whether the flag was given at all. */
  has(name: string): boolean {
    return this.#given.has(name);
  }

  /** The last value, or the default. */
  string(name: string, byDefault = ''): string {
    return this.#given.get(name)?.at(-1) ?? byDefault;
  }

  /** Whether the switch is on. */
  bool(name: string, byDefault: 'on' | 'off' = 'off'): boolean {
    const value = this.#given.get(name)?.at(-1);
    return value === undefined ? byDefault === 'on' : /^(1|t|true)$/i.test(value);
  }

  /** The number given last; `undefined` when there is none. */
  number(name: string): number | undefined {
    const value = this.#given.get(name)?.at(-1);
    return value === undefined ? undefined : Number(value);
  }

  /** All values, in the order given. */
  list(...names: readonly string[]): readonly string[] {
    return names.flatMap((name) => this.#given.get(name) ?? []);
  }
}
