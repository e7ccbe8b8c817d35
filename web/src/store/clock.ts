/** Messages that are compared; the service sends one each second. */
const COMPARED = 10;

/**
 * What time it is at the service, whatever the clock of the reader's machine says.
 *
 * Every message says when it was sent. It may have been under way for long, but it is never early: so of the last
 * ones the one that came fastest tells the time best.
 */
export class ServiceClock {
  private ahead: number[] = [];

  constructor(
    /** Seconds since whenever; nobody sets this clock. */
    private readonly steady = (): number => performance.now() / 1000,
    /** Seconds since the epoch as this machine knows them: what there is before the first message. */
    private readonly own = (): number => Date.now() / 1000,
  ) {}

  /** A message has just come that was sent at this time. */
  heard(sentAt: number): void {
    this.ahead = [...this.ahead.slice(1 - COMPARED), sentAt - this.steady()];
  }

  /** Another process follows, maybe with another clock. */
  clear(): void {
    this.ahead = [];
  }

  /** Seconds since the epoch. */
  now(): number {
    return this.ahead.length === 0 ? this.own() : this.steady() + Math.max(...this.ahead);
  }
}

export const serviceClock = new ServiceClock();

/** Seconds since the epoch at the service, to which all times of runs and spans belong. */
export const now = (): number => serviceClock.now();
