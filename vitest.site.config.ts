/** What `npm run test:site` runs: the built site, in Chromium. */
import config from './vitest.config.js';

export default { ...config, test: { ...config.test, include: ['site/**/*.test.ts'], testTimeout: 90_000 } };
