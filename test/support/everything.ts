/** All primitives in one module: worlds are built around it, and mutants are made of it. */
export * from 'latchkey';
export * from 'latchkey/bounded-queue';
export * from 'latchkey/single-flight';
export { LeaseKeeper } from '../../src/remote-locks/lease-keeper.js';
