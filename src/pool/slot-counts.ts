/**
 *   connecting ──► idle ◄──► leased
 *       │           │ ▲         │
 *       │           ▼ │         │
 *       │        checking ◄─────┤      checking: in `validate` or `reset`
 *       │           │           │
 *       └────────►closing◄──────┘      closing: also a dial that was given up and has not settled yet
 *                   │
 *                   ▼
 *                 gone
 */
export type SlotState = 'connecting' | 'idle' | 'leased' | 'checking' | 'closing' | 'gone';

/** The number of slots in each state; there is one object for the pool and one per key. */
export class SlotCounts {
  connecting = 0;
  idle = 0;
  leased = 0;
  checking = 0;
  closing = 0;
  /** Slots that have ended: a slot that leaves one count must enter another. */
  gone = 0;
  /** The leased slots that take no new lease and close when the last one returns. */
  retiring = 0;

  /** From idle to leased. */
  lend(): void {
    this.idle--;
    this.leased++;
  }

  /** From leased to idle. */
  rest(): void {
    this.leased--;
    this.idle++;
  }

  move(from: SlotState, to: SlotState): void {
    // The moves of every use with a check are spelled out: counts looked up by name cost a quarter of an acquire.
    if (from === 'idle' && to === 'checking') {
      this.idle--;
      this.checking++;
    } else if (from === 'checking' && to === 'leased') {
      this.checking--;
      this.leased++;
    } else {
      this[from]--;
      this[to]++;
    }
  }

  get total(): number {
    return this.connecting + this.idle + this.leased + this.checking + this.closing;
  }

  /** Slots on their way out: each will be free without another step. */
  get leaving(): number {
    return this.closing + this.retiring;
  }
}
