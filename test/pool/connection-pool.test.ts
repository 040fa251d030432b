import { ConnectionPool } from 'latchkey';
import { describe, test } from 'vitest';
import { verify } from './claims/claim.js';
import { claims } from './claims/index.js';

for (const [theme, themed] of Object.entries(claims)) {
  describe(`connection pool, ${theme}`, () => {
    for (const claim of themed) test(claim.title, () => verify(claim, ConnectionPool));
  });
}
