import { Agent } from 'undici';

/** "A connection per request: none has to wait for another one." */
export const agent = new Agent({ connections: null });
