/**
 * The client's end of a connection: text lines, and bytes of a known number.
 *
 * @module
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection that ends in the middle of an answer is an error, as one that is reset is. */
export class Wire {
  readonly #connection: Deno.TcpConn;
  #held = new Uint8Array(0);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async to(port: number): Promise<Wire> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new Wire(connection);
  }

  async send(what: string | Uint8Array): Promise<void> {
    let bytes = typeof what === "string" ? encoder.encode(what) : what;
    while (bytes.length > 0) bytes = bytes.subarray(await this.#connection.write(bytes));
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    for (let from = 0;;) {
      const end = this.#held.indexOf(10, from);
      if (end >= 0) return (await this.text(end + 1)).trimEnd();
      from = this.#held.length;
      await this.#more();
    }
  }

  /** So many bytes. */
  async bytes(length: number): Promise<Uint8Array> {
    while (this.#held.length < length) await this.#more();
    const part = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return part;
  }

  /** So many bytes, as text. */
  async text(length: number): Promise<string> {
    return decoder.decode(await this.bytes(length));
  }

  close(): void {
    this.#connection.close();
  }

  async #more(): Promise<void> {
    const part = new Uint8Array(16384);
    const length = await this.#connection.read(part);
    if (length === null) throw new Deno.errors.UnexpectedEof("The server closed the connection");
    const all = new Uint8Array(this.#held.length + length);
    all.set(this.#held);
    all.set(part.subarray(0, length), this.#held.length);
    this.#held = all;
  }
}
