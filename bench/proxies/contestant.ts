/** A proxy under test, with one of the configurations in bench/peers. */
export interface Contestant {
  /** As it stands in tables. */
  readonly name: string;
  readonly software: 'sallyport' | 'haproxy' | 'nginx' | 'sniproxy';
  /** Files of bench/peers that it needs. `@NAME@` in them is filled in from `values` and from the run. */
  readonly files: readonly string[];
  readonly values: Readonly<Record<string, string>>;
  readonly binary: string;
  /** What runs it, the files being in `dir`. */
  readonly command: (dir: string) => readonly string[];
  /** What it is asked: a hello, or a CONNECT before it. */
  readonly opening: 'hello' | 'connect';
}
