/** Error replies of Redis that mean an outage, and those that mean a mistake in the command. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { isOutage } from "../../src/store/redis/connection.ts";

const reply = (message: string, more = {}) => Object.assign(new Error(message), { name: "ReplyError", ...more });

for (const message of [
  "NOPERM User bridge has no permissions to run the 'get' command",
  "NOPERM this user has no permissions to run the 'get' command or its subcommand",
  "ERR The user executing the script can't run this command or subcommand script: 0f, on @user_script:3.",
  "ERR Error running script (call to f_0f): @user_script:3: @user_script: 3: -NOPERM The user executing the script",
  "ERR unknown command 'evalsha', with args beginning with: 'a' ",
  "NOAUTH Authentication required.",
  "WRONGPASS invalid username-password pair or user is disabled.",
  "READONLY You can't write against a read only replica.",
  "-READONLY You can't write against a read only replica.",
  "ERR Error running script (call to f_0f): @user_script:1: @user_script: 1: -OOM command not allowed",
  "OOM command not allowed when used memory > 'maxmemory'.",
  "MISCONF Redis is configured to save RDB snapshots",
  "LOADING Redis is loading the dataset in memory",
  "BUSY Redis is busy running a script.",
]) {
  it(`an outage: ${message}`, () => {
    assert.equal(isOutage(reply(message)), true);
    const previousErrors = [reply(message)];
    assert.equal(
      isOutage(reply("EXECABORT Transaction discarded because of previous errors.", { previousErrors })),
      true,
    );
  });
}

for (const message of [
  "WRONGTYPE Operation against a key holding the wrong kind of value",
  "ERR wrong number of arguments for 'get' command",
  "ERR value is not an integer or out of range",
  "EXECABORT Transaction discarded because of previous errors.",
]) {
  it(`no outage: ${message}`, () => assert.equal(isOutage(reply(message)), false));
}
