/** All that has a contract, in one piece: what worlds are built around, and what mutants are made of. */
export * from 'latchkey';
export * from 'latchkey/bounded-queue';
export * from 'latchkey/single-flight';
export { LeaseKeeper } from '../../src/remote-locks/lease-keeper.js';
