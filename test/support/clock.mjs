/** Preload for `--import` that makes the process clock start at CLOCK_START (milliseconds since the epoch). */
const ahead = Number(process.env.CLOCK_START) - Date.now();
const Real = Date;

globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + ahead);
    else super(...args);
  }

  static now() {
    return Real.now() + ahead;
  }
};
