/** Lua of the delivery index: the rewrites of BullMQ's scripts that maintain it, and the scripts that read and repair it. */
import { LEDGER_QUEUES } from "../store.ts";
import { luaPattern, type ScriptRewrite } from "./script-rewrites.ts";

const STORE_JOB = /local function storeJob\(eventsKey, jobIdKey, [^)]*\)\n/;
/** Function in every BullMQ script that removes jobs; the job still exists when it is called. */
const REMOVE_JOB = /local function removeJobKeys\(jobKey\)\n/;

export function indexRewrites(prefix: string): ScriptRewrite[] {
  const hook = (scripts: string[], expected: RegExp, library: string, call: string) =>
    scripts.map((name) => ({
      script: name,
      expected,
      rewrite: (lua: string) => library + lua.replace(expected, (head) => `${head}${call}\n`),
    }));
  return [
    ...hook(
      ["addStandardJob", "addDelayedJob", "addPrioritizedJob"],
      STORE_JOB,
      adding(prefix),
      "indexAdded(jobIdKey, ARGV[2])",
    ),
    ...hook(
      ["removeJob", "cleanJobsInSet", "obliterate"],
      REMOVE_JOB,
      adding(prefix) + REMOVED,
      "indexRemoved(jobKey)",
    ),
  ];
}

/**
 * `indexed` reads time and topic from a job's data without decoding the payload before them: inside a JSON string every
 * quote has a backslash before it, so `"topic":"` and `"receivedAt":` begin members.
 */
function adding(prefix: string): string {
  return `
local function indexed(id, queue, data)
  local topic = string.match(data, '"topic":"([^"\\\\]*)"')
  if not topic and string.find(data, '"topic":"', 1, true) then topic = cjson.decode(data).topic end
  return tonumber(string.match(data, '"receivedAt":(%d+)') or 0), id .. ' ' .. queue .. ' ' .. (topic or '') .. '/'
end
local function splitJobKey(key)
  return string.match(key, '^${luaPattern(`${prefix}:q:`)}(${luaPattern(LEDGER_QUEUES)}[^:]*):(.*)')
end
local function keyOf(queue) return '${prefix}:q:' .. queue .. ':received' end
local received = '${prefix}:b:received'
local function index(id, queue, data)
  local at, member = indexed(id, queue, data)
  redis.call('ZADD', received, at, member)
  redis.call('ZADD', keyOf(queue), at, member)
end
local function indexAdded(jobKey, data)
  local queue, id = splitJobKey(jobKey)
  if queue then index(id, queue, data) end
end
`;
}

/** What the scripts that read and repair the index begin with. */
export function library(prefix: string): string {
  return adding(prefix) + LISTS;
}

/** Functions are created at every call of a script, so each script has only those it needs. */
const REMOVED = `
local function indexRemoved(jobKey)
  local queue, id = splitJobKey(jobKey)
  local data = queue and redis.call('HGET', jobKey, 'data')
  if not data then return end
  local _, member = indexed(id, queue, data)
  redis.call('ZREM', received, member)
  redis.call('ZREM', keyOf(queue), member)
end
`;

const LISTS = `
local states = { 'completed', 'failed', 'delayed', 'prioritized', 'active', 'waiting' }
local lists = { active = 'active', waiting = 'wait' }
local function size(base, state)
  if lists[state] then return redis.call('LLEN', base .. lists[state]) end
  return redis.call('ZCARD', base .. state)
end
local function idsOf(base, state, start, stop)
  return redis.call(lists[state] and 'LRANGE' or 'ZRANGE', base .. (lists[state] or state), start, stop)
end
`;

/** Entries examined in one call at most, which delays other users of Redis. */
const EXAMINE = 2_000;
/** Entries read at once. */
const CHUNK = 200;
/** Jobs of a state that are collected and sorted instead of looked for in the index. */
const COLLECT = 1_000;

/**
 * ARGV: count, since, Lua pattern of the topic and a slash, states, time, id and queue of the position, then the queues. Returns
 * whether there are more, the position where to continue, and the entries: time, member, state.
 */
export const NEWEST = `
local count, since, pattern, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local time, bound = tonumber(ARGV[5]), ARGV[6] .. ' ' .. ARGV[7]
local queues, isListed = {}, {}
for i = 8, #ARGV do
  queues[i - 7] = ARGV[i]
  isListed[ARGV[i]] = true
end
local function isWanted(state) return wanted == '' or string.find(wanted, state .. ',', 1, true) end
local function stateOf(base, id)
  for _, state in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    if redis.call('ZSCORE', base .. state, id) then return state end
  end
  return redis.call('LPOS', base .. 'active', id) and 'active' or 'waiting'
end
local function isMatch(member)
  if pattern == '' then return true end
  local space = string.find(member, ' ', string.find(member, ' ', 1, true) + 1, true)
  return string.find(member, pattern, space + 1)
end
local function isBefore(at, place) return at < time or at == time and place < bound end
local function placeOf(member) return string.match(member, '^[^ ]* [^ ]*') end
local result = { 0, '', '' }
local function stopAt(at, member) result[1], result[2], result[3] = 1, at, member end

local function collect()
  local found = {}
  for _, queue in ipairs(queues) do
    local base = KEYS[1] .. queue .. ':'
    for state in string.gmatch(wanted, '%l+') do
      for _, id in ipairs(idsOf(base, state, 0, -1)) do
        local data = redis.call('HGET', base .. id, 'data')
        if data then
          local at, member = indexed(id, queue, data)
          if at >= since and isBefore(at, placeOf(member)) and isMatch(member) then
            found[#found + 1] = { at, member, state }
          end
        end
      end
    end
  end
  table.sort(found, function(a, b) return a[1] > b[1] or a[1] == b[1] and a[2] > b[2] end)
  for i = 1, math.min(count, #found) do
    for _, value in ipairs(found[i]) do result[#result + 1] = tostring(value) end
  end
  if #found > count then stopAt(tostring(found[count][1]), found[count][2]) end
end

local function walk()
  local key = #queues == 1 and keyOf(queues[1]) or received
  local first, taken, examined = redis.call('ZCOUNT', key, '(' .. ARGV[5], '+inf'), 0, 0
  while true do
    local chunk = redis.call('ZREVRANGE', key, first, first + ${CHUNK} - 1)
    if #chunk == 0 then return end
    for _, member in ipairs(chunk) do
      if isMatch(member) then
        local id, queue = string.match(member, '^([^ ]*) ([^ ]*)')
        local at = isListed[queue] and redis.call('ZSCORE', key, member)
        if at and tonumber(at) < since then return end
        local state = at and isBefore(tonumber(at), id .. ' ' .. queue) and stateOf(KEYS[1] .. queue .. ':', id)
        if state and isWanted(state) then
          local n = #result
          result[n + 1], result[n + 2], result[n + 3] = at, member, state
          taken = taken + 1
          if taken == count then return stopAt(at, member) end
        end
      end
    end
    first, examined = first + #chunk, examined + #chunk
    local last = chunk[#chunk]
    local at = redis.call('ZSCORE', key, last)
    if tonumber(at) < since then return end
    if examined >= ${EXAMINE} and isBefore(tonumber(at), placeOf(last)) then return stopAt(at, last) end
  end
end

local matching = 0
if wanted ~= '' then
  for _, queue in ipairs(queues) do
    for state in string.gmatch(wanted, '%l+') do matching = matching + size(KEYS[1] .. queue .. ':', state) end
    if matching > ${COLLECT} then break end
  end
end
if wanted ~= '' and matching <= ${COLLECT} then
  if matching > 0 then collect() end
else walk() end
return result`;

/** Returns the queues whose index does not have the number of their jobs, as after a bridge without an index. */
export const CHECK = `
local unequal = {}
for _, queue in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local base, there = KEYS[1] .. queue .. ':', 0
  for _, state in ipairs(states) do there = there + size(base, state) end
  if redis.call('ZCARD', keyOf(queue)) ~= there then unequal[#unequal + 1] = queue end
end
return unequal`;

/** Indexes the jobs of a queue in a range of each state. Returns 1 if there are more. */
export const FILL = `
local base, more = KEYS[1] .. ARGV[1] .. ':', 0
for _, state in ipairs(states) do
  local ids = idsOf(base, state, ARGV[2], ARGV[3])
  if #ids > tonumber(ARGV[3]) - tonumber(ARGV[2]) then more = 1 end
  for _, id in ipairs(ids) do
    local data = redis.call('HGET', base .. id, 'data')
    if data then index(id, ARGV[1], data) end
  end
end
return more`;

/** Removes the entries of a queue without a job. Returns the number of entries examined and of those left. */
export const PRUNE = `
local key = keyOf(ARGV[1])
local members = redis.call('ZRANGE', key, ARGV[2], ARGV[3])
local left = #members
for _, member in ipairs(members) do
  if redis.call('EXISTS', KEYS[1] .. ARGV[1] .. ':' .. string.match(member, '^[^ ]*')) == 0 then
    redis.call('ZREM', received, member)
    left = left - redis.call('ZREM', key, member)
  end
end
return { #members, left }`;
