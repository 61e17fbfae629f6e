/** The place of the session in the cache of reads. */
export const SESSION = ["session"];
