/** The messages between the benches and their server process. */

/** How the server treats new connections. */
export interface Behaviour {
  /** From the accept to the byte that marks the connection ready. */
  handshakeMs: number;
  /** From the client's end to the server's end; a closing connection still counts until then. */
  closeMs: number;
  /** How many hosts, from the first on, are dark: they accept connections, and answer nothing. */
  darkHosts: number;
  /** From the accept until the server resets the connection; 0: it resets none. */
  dropAfterMs: number;
}

/** The connections as the server counts them, closing ones included. */
export interface ConnectionCounts {
  connects: number;
  peak: number;
}

export interface Commands {
  /** Waits until no connection is open, then resets the counts. */
  begin(behaviour: Partial<Behaviour>): Promise<void>;
  /** Hosts that are dark no more have rebooted: they reset their old connections. */
  behave(behaviour: Partial<Behaviour>): Promise<void>;
  counts(): Promise<ConnectionCounts>;
  /** Closes the ports, so that the kernel refuses connects. */
  refuse(): Promise<void>;
  /** Opens the same ports again. */
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
