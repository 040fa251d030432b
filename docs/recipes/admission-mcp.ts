/** The same for the tools of an MCP server: a refusal is a result that the model can read, and it knows when to ask again. */
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import type { AdaptivePermit } from 'latchkey';
import { type Admit, retryAfterSeconds } from './admission.js';

type Tool<A> = (args: A, context: ServerContext) => CallToolResult | Promise<CallToolResult>;

/** Wraps the callback that `registerTool` is given. A session is a tenant: one agent that floods does not stop the others. */
export function admittedTool<A>(admit: Admit, tool: Tool<A>): Tool<A> {
  return async (args, context) => {
    const { signal } = context.mcpReq;
    let permit: AdaptivePermit;
    try {
      permit = await admit(context.sessionId, signal);
    } catch (error) {
      const seconds = retryAfterSeconds(error);
      if (seconds === undefined) throw error;
      return { isError: true, content: [{ type: 'text', text: `Busy. Call again in ${seconds} s.` }] };
    }
    try {
      return await tool(args, context);
    } finally {
      permit.release(signal.aborted ? 'ignore' : 'success');
    }
  };
}
