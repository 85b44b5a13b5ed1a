/** A person at the real window: every click and key is a real one, and each is counted where it arrives. */
import type { ElectronApplication, Locator, Page } from '@playwright/test';

/**
 * Seconds of the keystroke-level model (Card, Moran and Newell 1983): a key of an average typist, pointing, a press and
 * a release of the button, a hand from keyboard to mouse or back, getting ready in mind.
 */
const klm = { key: 0.28, point: 1.1, button: 0.2, home: 0.4, think: 1.35 } as const;

export interface Effort {
  clicks: number;
  keys: number;
  /** Steps: what a person decides on, e.g. "open the history", "type the serial". */
  steps: number;
  /** How long a practised person needs by the keystroke-level model, waiting included. */
  personS: number;
  /** Thereof waiting for the machine, as measured. */
  waitedS: number;
}

interface Seen {
  clicks: number;
  keys: number;
}

/** What the functions below find in the window. */
interface InWindow {
  seen: Seen;
  addEventListener(
    name: 'pointerdown' | 'keydown',
    listener: (event: { isTrusted: boolean }) => void,
    options: { capture: true },
  ): void;
}

/** Counts what arrives in the window, whoever sends it. */
async function countIn(window: Page): Promise<void> {
  await window.evaluate(() => {
    const here = globalThis as unknown as InWindow;
    const seen: Seen = { clicks: 0, keys: 0 };
    here.seen = seen;
    here.addEventListener('pointerdown', ({ isTrusted }) => (seen.clicks += isTrusted ? 1 : 0), { capture: true });
    here.addEventListener('keydown', ({ isTrusted }) => (seen.keys += isTrusted ? 1 : 0), { capture: true });
  });
}

export class Person {
  readonly window: Page;
  readonly #app: ElectronApplication;
  #clicksOutside = 0;
  #keys = 0;
  #clicks = 0;
  #steps = 0;
  #homes = 0;
  #waitedMs = 0;
  #hand: 'mouse' | 'keyboard' = 'mouse';

  private constructor(app: ElectronApplication, window: Page) {
    this.#app = app;
    this.window = window;
  }

  static async sitDown(app: ElectronApplication, window: Page): Promise<Person> {
    await countIn(window);
    return new Person(app, window);
  }

  /** Clicks a button, link, field or row. */
  async click(what: Locator): Promise<void> {
    await what.click();
    this.#clicks++;
    this.#step('mouse');
  }

  /** Opens a list of choices and takes one: two clicks, the second in a list that the system draws. */
  async choose(field: Locator, label: string): Promise<void> {
    await field.selectOption({ label });
    this.#clicksOutside += 2;
    this.#step('mouse');
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.window.keyboard.type(text);
    this.#keys += text.length;
    this.#step('keyboard');
  }

  async press(key: string): Promise<void> {
    await this.window.keyboard.press(key);
    this.#keys++;
    this.#step('keyboard');
  }

  /** The system's own dialog: it gives the path back at once; choosing and confirming count as two clicks. */
  async inDialog(path: string): Promise<void> {
    await this.#app.evaluate(({ dialog }, chosen) => {
      dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [chosen] });
      dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath: chosen });
    }, path);
    this.#clicksOutside += 2;
    this.#step('mouse');
  }

  /** Looks on until something is there. */
  async wait(until: () => Promise<unknown>): Promise<void> {
    const started = performance.now();
    await until();
    this.#waitedMs += performance.now() - started;
  }

  #step(hand: 'mouse' | 'keyboard'): void {
    this.#steps++;
    if (hand !== this.#hand) this.#homes++;
    this.#hand = hand;
  }

  /**
   * What it took since the last time.
   * @throws Error when the window saw other clicks or keys than this person made
   */
  async effort(): Promise<Effort> {
    const seen = await this.window.evaluate(() => {
      const { seen: counted } = globalThis as unknown as InWindow;
      const now = { ...counted };
      counted.clicks = 0;
      counted.keys = 0;
      return now;
    });
    const made = { clicks: this.#clicks, keys: this.#keys };
    const clicks = this.#clicks + this.#clicksOutside;
    const waitedS = this.#waitedMs / 1000;
    const effort = {
      clicks,
      keys: this.#keys,
      steps: this.#steps,
      waitedS,
      personS:
        clicks * (klm.point + klm.button) +
        this.#keys * klm.key +
        this.#homes * klm.home +
        this.#steps * klm.think +
        waitedS,
    };
    this.#clicks = this.#keys = this.#clicksOutside = this.#steps = this.#homes = this.#waitedMs = 0;
    this.#hand = 'mouse';
    if (seen.clicks !== made.clicks || seen.keys !== made.keys) {
      throw new Error(`made ${JSON.stringify(made)}, but the window saw ${JSON.stringify(seen)}`);
    }
    return effort;
  }
}
