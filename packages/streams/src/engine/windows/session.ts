/** Session windows: rows that follow each other closely, until there is a pause or the session is as long as it may be. */
import type { Input } from '../../sql/index.ts';
import type { Content } from '../content.ts';
import type { SavedState } from '../operator.ts';
import type { Window, WindowSettings } from './window.ts';

export interface SessionShape {
  readonly timeout: number;
  readonly maximum: number;
}

interface Session {
  readonly start: number;
  last: number;
  readonly content: Content;
}

interface SavedSession {
  readonly start: number;
  readonly last: number;
  readonly content: SavedState;
}

export class SessionWindow implements Window {
  readonly #shape: SessionShape;
  readonly #settings: WindowSettings;
  #session: Session | undefined;

  constructor(shape: SessionShape, settings: WindowSettings) {
    this.#shape = shape;
    this.#settings = settings;
  }

  get isEmpty(): boolean {
    return this.#session === undefined;
  }

  push(input: Input, time: number, isIn: boolean): void {
    this.advance(time);
    const session = this.#session ?? { start: time, last: time, content: this.#settings.contents.create() };
    this.#session = session;
    session.last = time;
    if (isIn) session.content.add(input, time);
  }

  advance(time: number): void {
    const session = this.#session;
    const end = this.due();
    if (session === undefined || end === undefined || time < end) return;
    this.#session = undefined;
    if (!session.content.isEmpty) this.#settings.give(session.content, { start: session.start, end, time: end - 1 });
    session.content.release();
  }

  due(): number | undefined {
    const session = this.#session;
    if (session === undefined) return undefined;
    return Math.min(session.last + this.#shape.timeout, session.start + this.#shape.maximum);
  }

  save(): SavedSession | undefined {
    const session = this.#session;
    return session === undefined ? undefined : { ...session, content: session.content.save() };
  }

  load(state: SavedState): void {
    const saved = state as SavedSession | undefined;
    this.#session =
      saved === undefined ? undefined : { ...saved, content: this.#settings.contents.load(saved.content) };
  }

  release(): void {
    this.#session?.content.release();
    this.#session = undefined;
  }
}
