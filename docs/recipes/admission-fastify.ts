/** The same for Fastify: before the body is read and the route is chosen. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Admit, admitted } from './admission.js';

/** On the root, it holds for every route; in a plugin, for the routes of that plugin. */
export function addAdmission(
  app: FastifyInstance,
  admit: Admit,
  tenantOf: (request: FastifyRequest) => unknown,
): void {
  app.addHook('onRequest', async (request, reply) => {
    const isAdmitted = await admitted(admit, tenantOf(request), request.raw, reply.raw);
    // Fastify must not answer a second time.
    if (!isAdmitted) reply.hijack();
  });
}
