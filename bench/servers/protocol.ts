/** What the benches and their server, in a process of its own, say to each other. */

/** How the server treats connections from now on. */
export interface Behaviour {
  /** From accept to the byte that makes the connection ready. */
  handshakeMs: number;
  /** From the client's end to the server's: how long a connection that is being closed still counts. */
  closeMs: number;
}

/** As the server counts them; closing connections count. */
export interface ConnectionCounts {
  connects: number;
  peak: number;
}

export interface Commands {
  /** Waits until no connection is open, and counts from zero. */
  begin(behaviour: Partial<Behaviour>): Promise<void>;
  behave(behaviour: Partial<Behaviour>): Promise<void>;
  counts(): Promise<ConnectionCounts>;
  /** Closes the ports: connects are refused by the kernel. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
}

export interface Request {
  id: number;
  command: keyof Commands;
  argument: Partial<Behaviour>;
}

export interface Reply {
  id: number;
  value: unknown;
}
