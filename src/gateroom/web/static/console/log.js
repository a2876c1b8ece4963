// A list on the page that only keeps its newest entries, is drawn once per screen frame and stays at its end.

const NEAR_THE_END = 48; // pixels from the bottom that still count as reading along

export class Log {
  #scroller;
  #list;
  #limit;
  #draw;
  #waiting = [];
  #scheduled = false;
  #paused = false;
  #reading = true;

  /** `scroller` scrolls, `list` in it holds the entries, `draw(item, previousNode)` makes one. */
  constructor(scroller, list, limit, draw) {
    [this.#scroller, this.#list, this.#limit, this.#draw] = [scroller, list, limit, draw];
    // Remembered here, because the list may grow or be hidden before the next drawing.
    scroller.addEventListener("scroll", () => {
      this.#reading = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_THE_END;
    });
    new ResizeObserver(() => this.#reading && this.toEnd()).observe(scroller);
  }

  get waiting() {
    return this.#waiting.length;
  }

  add(item) {
    this.#waiting.push(item);
    if (this.#waiting.length > this.#limit) this.#waiting.shift();
    this.#schedule();
  }

  clear() {
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#reading = true;
  }

  pause(paused) {
    this.#paused = paused;
    this.#schedule();
  }

  /** Show the newest entry, as when the list comes into view. */
  toEnd() {
    this.#reading = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #schedule() {
    if (this.#scheduled || this.#paused || !this.#waiting.length) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#scheduled = false;
    if (this.#paused) return;
    for (const item of this.#waiting) this.#list.append(this.#draw(item, this.#list.lastElementChild));
    this.#waiting = [];
    while (this.#list.childElementCount > this.#limit) this.#list.firstElementChild.remove();
    if (this.#reading) this.toEnd();
  }
}
