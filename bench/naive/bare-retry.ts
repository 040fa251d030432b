// Where: the loop around fetch that every code base has. Doubles its delay, without jitter, cap or signal.
// Cost: callers that failed together come back together; the tenth pause of 100 ms is 51 s; nothing can end it.
export async function bareRetry<T>(task: () => Promise<T>, attempts = 3, initialMs = 100): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      if (attempt === attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, initialMs * 2 ** (attempt - 1)));
    }
  }
}
