const { SEED } = process.env;

/** Seed of what tests choose at random: fixed, so that each run checks the same cases. `SEED=random` checks others. */
export const seed = SEED === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(SEED ?? 1);
