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
      adding(prefix) + removing(prefix),
      "indexRemoved(jobKey)",
    ),
  ];
}

/**
 * `parsed` reads time and topic from a job's data without decoding it. They come first; elsewhere they are found behind
 * a payload too: inside a JSON string every quote has a backslash before it, so `"topic":"` and `"receivedAt":` begin
 * members.
 */
function adding(prefix: string): string {
  return `
local function parsed(data)
  local at, topic = string.match(data, '^{"receivedAt":(%d+),"topic":"([^"\\\\]*)"')
  if at then return at, topic end
  topic = string.match(data, '"topic":"([^"\\\\]*)"')
  if not topic and string.find(data, '"topic":"', 1, true) then topic = cjson.decode(data).topic end
  return string.match(data, '"receivedAt":(%d+)') or '0', topic or ''
end
local function indexAdded(jobKey, data)
  local base, id = string.match(jobKey, '${jobKeys(prefix)}')
  if not base then return end
  local at, topic = parsed(data)
  redis.call('ZADD', base .. 'received', at, id .. ' ' .. topic .. '/')
end
`;
}

/** Lua pattern of the key of a job in a queue with a ledger: what the keys of its queue begin with, and the job's id. */
const jobKeys = (prefix: string) => `^(${luaPattern(`${prefix}:q:${LEDGER_QUEUES}`)}[^:]*:)(.*)`;

/** Functions are created at every call of a script, so each script has only those it needs. */
function removing(prefix: string): string {
  return `
local function indexRemoved(jobKey)
  local base, id = string.match(jobKey, '${jobKeys(prefix)}')
  local data = base and redis.call('HGET', jobKey, 'data')
  if not data then return end
  local _, topic = parsed(data)
  redis.call('ZREM', base .. 'received', id .. ' ' .. topic .. '/')
end
`;
}

/** Beginning of the scripts that read and repair the index. */
export function library(prefix: string): string {
  return adding(prefix) + LISTS;
}

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
/** Entries read at once, of all queues together at first. */
const CHUNK = 200;
/** Jobs of a state that are collected and sorted instead of looked for in the index. */
const COLLECT = 1_000;

/**
 * ARGV: count, since, Lua pattern of the topic and a slash, states, time, id and queue of the position, then the queues.
 * Returns whether there are more, the position where to continue, and the entries: time, id, queue, topic, state.
 */
export const NEWEST = `
local count, since, pattern, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local time, bound = tonumber(ARGV[5]), ARGV[6] .. ' ' .. ARGV[7]
local queues = {}
for i = 8, #ARGV do queues[i - 7] = ARGV[i] end
local function isWanted(state) return wanted == '' or string.find(wanted, state .. ',', 1, true) end
local function stateOf(base, id)
  for _, state in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    if redis.call('ZSCORE', base .. state, id) then return state end
  end
  return redis.call('LPOS', base .. 'active', id) and 'active' or 'waiting'
end
-- An entry has the fields at, time (the same as text), member and queue.
local function idOf(e) return string.match(e.member, '^[^ ]*') end
local function placeOf(e) return idOf(e) .. ' ' .. e.queue end
local function isMatch(e)
  return pattern == '' or string.find(e.member, pattern, string.find(e.member, ' ', 1, true) + 1)
end
local function isNewer(a, b)
  if a.at ~= b.at then return a.at > b.at end
  return placeOf(a) > placeOf(b)
end
local function isBefore(e) return e.at < time or e.at == time and placeOf(e) < bound end
local result, taken = { 0, '', '', '' }, 0
local function take(e, state)
  local id = idOf(e)
  for _, value in ipairs({ e.time, id, e.queue, string.sub(e.member, #id + 2, -2), state }) do
    result[#result + 1] = value
  end
  taken = taken + 1
end
local function stopAt(e) result[1], result[2], result[3], result[4] = 1, e.time, idOf(e), e.queue end

local function collect()
  local found = {}
  for _, queue in ipairs(queues) do
    local base = KEYS[1] .. queue .. ':'
    for state in string.gmatch(wanted, '%l+') do
      for _, id in ipairs(idsOf(base, state, 0, -1)) do
        local data = redis.call('HGET', base .. id, 'data')
        if data then
          local at, topic = parsed(data)
          local e = { at = tonumber(at), time = at, member = id .. ' ' .. topic .. '/', queue = queue, state = state }
          if e.at >= since and isBefore(e) and isMatch(e) then found[#found + 1] = e end
        end
      end
    end
  end
  table.sort(found, isNewer)
  for i = 1, math.min(count, #found) do take(found[i], found[i].state) end
  if #found > count then stopAt(found[count]) end
end

-- Each queue is read from its newest entry before the position on. A heap holds the readers, each at its next entry.
local function advance(reader)
  repeat
    local chunk, i = reader.chunk, reader.i
    if i > #chunk then
      local key = KEYS[1] .. reader.queue .. ':received'
      chunk = redis.call('ZREVRANGEBYSCORE', key, ARGV[5], since, 'WITHSCORES', 'LIMIT', reader.offset, reader.size)
      if #chunk == 0 then return false end
      reader.chunk, i = chunk, 1
      reader.offset, reader.size = reader.offset + reader.size, math.min(reader.size * 4, ${CHUNK})
    end
    reader.member, reader.time, reader.at, reader.i = chunk[i], chunk[i + 1], tonumber(chunk[i + 1]), i + 2
  until isBefore(reader)
  return true
end
local function sift(heap, i)
  local reader, size = heap[i], #heap
  while true do
    local child = 2 * i
    if child > size then break end
    if child < size and isNewer(heap[child + 1], heap[child]) then child = child + 1 end
    if not isNewer(heap[child], reader) then break end
    heap[i], i = heap[child], child
  end
  heap[i] = reader
end
local function walk()
  local heap, first = {}, math.max(1, math.floor(${CHUNK} / #queues))
  for _, queue in ipairs(queues) do
    local reader = { queue = queue, chunk = {}, i = 1, offset = 0, size = first }
    if advance(reader) then heap[#heap + 1] = reader end
  end
  for i = math.floor(#heap / 2), 1, -1 do sift(heap, i) end
  for examined = 1, ${EXAMINE} do
    local reader = heap[1]
    if not reader then return end
    local state = isMatch(reader) and stateOf(KEYS[1] .. reader.queue .. ':', idOf(reader))
    if state and isWanted(state) then take(reader, state) end
    if taken == count or examined == ${EXAMINE} then return stopAt(reader) end
    if not advance(reader) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if heap[1] then sift(heap, 1) end
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
  if redis.call('ZCARD', base .. 'received') ~= there then unequal[#unequal + 1] = queue end
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
    if data then indexAdded(base .. id, data) end
  end
end
return more`;

/** Removes the entries of a queue without a job. Returns the number of entries examined and of those left. */
export const PRUNE = `
local base = KEYS[1] .. ARGV[1] .. ':'
local members = redis.call('ZRANGE', base .. 'received', ARGV[2], ARGV[3])
local left = #members
for _, member in ipairs(members) do
  if redis.call('EXISTS', base .. string.match(member, '^[^ ]*')) == 0 then
    left = left - redis.call('ZREM', base .. 'received', member)
  end
end
return { #members, left }`;
