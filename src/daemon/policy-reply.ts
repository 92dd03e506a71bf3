import { deserialize, serialize } from 'node:v8';
import type { CompiledLoad } from '../config/load-compiled.ts';

/** Two words, sizes in bytes: of what was found that follows, and of the compiled policy behind it. */
const HEAD_BYTES = 8;

/** A load as bytes, for another process: see `ReplyReader`. */
export function encodeReply(load: CompiledLoad): Uint8Array[] {
  const policy = load.ok && load.policy !== null ? new Uint8Array(load.policy) : new Uint8Array(0);
  const findings = serialize(load.ok ? { ...load, policy: null } : load);
  return [new Uint8Array(new Uint32Array([findings.length, policy.length]).buffer), findings, policy];
}

/** Puts a load together from its bytes, as they come; the policy goes straight into the memory it is shared in. */
export class ReplyReader {
  readonly #head = new Uint8Array(HEAD_BYTES);
  #findings = new Uint8Array(0);
  #policy: SharedArrayBuffer | null = null;
  #taken = 0;

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const [into, offset] = this.#place();
      const piece = bytes.subarray(at, at + into.length - offset);
      if (piece.length === 0) throw new Error('the reply is longer than it says');
      into.set(piece, offset);
      at += piece.length;
      this.#taken += piece.length;
      if (into === this.#head && this.#taken === HEAD_BYTES) this.#measure();
    }
  }

  /** The load, once all of it is there; null before. */
  finish(): CompiledLoad | null {
    const size = HEAD_BYTES + this.#findings.length + (this.#policy?.byteLength ?? 0);
    if (this.#taken < HEAD_BYTES || this.#taken < size) return null;
    const load: CompiledLoad = deserialize(this.#findings);
    return load.ok ? { ...load, policy: this.#policy } : load;
  }

  /** Where the next byte belongs. */
  #place(): [into: Uint8Array, offset: number] {
    if (this.#taken < HEAD_BYTES) return [this.#head, this.#taken];
    const offset = this.#taken - HEAD_BYTES;
    if (offset < this.#findings.length || this.#policy === null) return [this.#findings, offset];
    return [new Uint8Array(this.#policy), offset - this.#findings.length];
  }

  #measure(): void {
    const [findingBytes = 0, policyBytes = 0] = new Uint32Array(this.#head.buffer);
    this.#findings = new Uint8Array(findingBytes);
    if (policyBytes === 0) return;
    // Growable memory is mapped and unmapped as a whole; any other comes from a heap that keeps what is freed.
    this.#policy = new SharedArrayBuffer(policyBytes, { maxByteLength: policyBytes });
  }
}
