// Coming back after a lost connection: growing delays with jitter, counted down in sight, to be cancelled at any time.

const FIRST = 1000; // milliseconds
const LONGEST = 30_000;
const SETTLED = 10_000; // a connection that lived this long starts the delays anew

/** Milliseconds to wait: "retry" between half and all of a doubling delay, "spread" anywhere from half a second on. */
export function delayOf(next, attempt, random = Math.random) {
  const longest = Math.min(LONGEST, FIRST * 2 ** attempt);
  return next === "spread" ? 500 + random() * Math.max(longest, 5000) : longest * (0.5 + random() / 2);
}

export class Retry {
  #count;
  #go;
  #timer = 0;
  #attempt = 0;

  /** `count(seconds, attempt)` is told once a second, `go()` when it is time. */
  constructor(count, go) {
    [this.#count, this.#go] = [count, go];
  }

  /** True once a connection was lost, until a person decides. */
  get trying() {
    return this.#attempt > 0;
  }

  schedule(next, lived) {
    if (lived > SETTLED) this.#attempt = 0;
    const due = Date.now() + delayOf(next, this.#attempt++);
    const tick = () => {
      const left = due - Date.now();
      if (left > 0) {
        this.#count(Math.ceil(left / 1000), this.#attempt);
        this.#timer = setTimeout(tick, Math.min(left, 1000));
      } else this.#go();
    };
    clearTimeout(this.#timer);
    tick();
  }

  /** Go at once instead of waiting on. */
  hurry() {
    clearTimeout(this.#timer);
    this.#go();
  }

  /** Stop trying; the delays start anew. */
  cancel() {
    clearTimeout(this.#timer);
    this.#attempt = 0;
  }
}
