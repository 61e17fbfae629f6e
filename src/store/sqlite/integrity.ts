/** Notices an unclean stop by a row that exists while the database is open, and checks the file after one. */
import type { Thread } from "../../bullmq-sqlite/index.ts";

/** Faults reported at most; one is enough to refuse the file. */
const FAULTS = 3;

export function integrityProcedures({ db }: Thread) {
  db.exec("CREATE TABLE IF NOT EXISTS causeway_open (id INTEGER PRIMARY KEY CHECK (id = 1))");
  return {
    /** Returns the faults found; none after a clean stop, which needs no check. */
    "integrity.enter": (): string[] => {
      const clean = db.run("INSERT INTO causeway_open VALUES (1) ON CONFLICT DO NOTHING") > 0;
      return clean ? [] : db.values<string>(`PRAGMA quick_check(${FAULTS})`).filter((line) => line !== "ok");
    },
    "integrity.leave": () => void db.run("DELETE FROM causeway_open"),
  };
}
