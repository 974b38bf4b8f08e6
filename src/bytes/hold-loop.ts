/** The longest time that a timer takes, milliseconds. */
const LONG = 0x7fffffff;

/**
 * Waits for `work` with a timer set. Compiling Wasm holds no handle of the event loop of Node.js, so the
 * loop would run empty meanwhile; Node.js then waits for all of V8's background work, some of which may
 * be waiting for the main thread (nodejs/node#54918).
 */
export async function holdingLoop<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, LONG);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
