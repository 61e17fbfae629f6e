/** Lua of the delivery index: the rewrites of BullMQ's scripts that maintain it, and the scripts that read and repair it. */
import { LEDGER_QUEUES } from "../store.ts";
import { luaPattern, type ScriptRewrite } from "./script-rewrites.ts";

const STORE_JOB = /local function storeJob\(eventsKey, jobIdKey, [^)]*\)\n/;
/** Function in every BullMQ script that removes jobs; the job still exists when it is called. */
const REMOVE_JOB = /local function removeJobKeys\(jobKey\)\n/;

export function indexRewrites(prefix: string): ScriptRewrite[] {
  const hook = (scripts: string[], expected: RegExp, call: string) =>
    scripts.map((name) => ({
      script: name,
      expected,
      rewrite: (lua: string) => library(prefix) + lua.replace(expected, (head) => `${head}${call}\n`),
    }));
  return [
    ...hook(["addStandardJob", "addDelayedJob", "addPrioritizedJob"], STORE_JOB, "indexAdded(jobIdKey, ARGV[2])"),
    ...hook(["removeJob", "cleanJobsInSet", "obliterate"], REMOVE_JOB, "indexRemoved(jobKey)"),
  ];
}

/**
 * `indexed` reads time and topic from a job's data without decoding the payload before them: inside a JSON string every
 * quote has a backslash before it, so `"topic":"` and `"receivedAt":` begin members.
 */
export function library(prefix: string): string {
  return `
local function indexed(id, data)
  local topic = string.match(data, '"topic":"([^"\\\\]*)"')
  if not topic and string.find(data, '"topic":"', 1, true) then topic = cjson.decode(data).topic end
  return tonumber(string.match(data, '"receivedAt":(%d+)') or 0), id .. ' ' .. (topic or '')
end
local function splitJobKey(key) return string.match(key, '^(${luaPattern(`${prefix}:q:${LEDGER_QUEUES}`)}[^:]*:)(.*)') end
local function indexAdded(jobKey, data)
  local base, id = splitJobKey(jobKey)
  if base then redis.call('ZADD', base .. 'received', indexed(id, data)) end
end
local function indexRemoved(jobKey)
  local base, id = splitJobKey(jobKey)
  local data = base and redis.call('HGET', jobKey, 'data')
  if not data then return end
  local _, member = indexed(id, data)
  redis.call('ZREM', base .. 'received', member)
end
`;
}

/** Entries examined in one call at most: about 10 ms of Redis time. */
const EXAMINE = 10_000;
/** Jobs of a state that are collected instead of looked for in the index. */
const COLLECT = 1_000;

/**
 * Reads one slice per queue. ARGV: count, since, Lua pattern of topic .. '/', states, then queue, time and id of each
 * span. A slice is {outcome, time, id, unequal, entries…}; outcomes: 0 the end, 1 it continues before time and id. `unequal` is
 * 1 if the index does not have the number of the queue's jobs.
 */
export const NEWEST = `
local count, since, pattern, wanted = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local lists = { active = 'active', waiting = 'wait' }
local examined = 0
local function size(base, state)
  if lists[state] then return redis.call('LLEN', base .. lists[state]) end
  return redis.call('ZCARD', base .. state)
end
local function stateOf(base, id)
  for _, state in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    if redis.call('ZSCORE', base .. state, id) then return state end
  end
  return redis.call('LPOS', base .. 'active', id) and 'active' or 'waiting'
end
local function isWanted(state) return wanted == '' or string.find(wanted, state .. ',', 1, true) end
local function wantedState(base, id)
  if string.match(wanted, '^%l+,$') and not lists[string.sub(wanted, 1, -2)] then
    local state = string.sub(wanted, 1, -2)
    return redis.call('ZSCORE', base .. state, id) and state
  end
  local state = stateOf(base, id)
  return isWanted(state) and state
end
local function onTopic(topic) return pattern == '' or string.find(topic .. '/', pattern) end
local function split(member)
  local space = string.find(member, ' ', 1, true)
  return string.sub(member, 1, space - 1), string.sub(member, space + 1)
end
local function push(slice, at, id, topic, state)
  local n = #slice
  slice[n + 1], slice[n + 2], slice[n + 3], slice[n + 4] = at, id, topic, state
end
local function isBefore(at, id, time, bound) return at < time or at == time and id < bound end

local function collect(base, time, bound)
  local found = {}
  for state in string.gmatch(wanted, '%l+') do
    local key = base .. (lists[state] or state)
    for _, id in ipairs(redis.call(lists[state] and 'LRANGE' or 'ZRANGE', key, 0, -1)) do
      examined = examined + 1
      local data = redis.call('HGET', base .. id, 'data')
      if data then
        local at, member = indexed(id, data)
        local _, topic = split(member)
        if at >= tonumber(since) and isBefore(at, id, time, bound) and onTopic(topic) then
          found[#found + 1] = { at, id, topic, state }
        end
      end
    end
  end
  table.sort(found, function(a, b) return isBefore(b[1], b[2], a[1], a[2]) end)
  local slice = { 0, '', '', 0 }
  for i = 1, math.min(count, #found) do push(slice, tostring(found[i][1]), unpack(found[i], 2)) end
  if #found > count then slice[1], slice[2], slice[3] = 1, tostring(found[count][1]), found[count][2] end
  return slice
end

local function walk(key, base, time, bound, first, last)
  local slice, taken = { 0, '', '', 0 }, 0
  while first < last do
    local chunk = redis.call('ZREVRANGE', key, first, math.min(first + 2 * count, last) - 1, 'WITHSCORES')
    if #chunk == 0 then break end
    for i = 1, #chunk, 2 do
      local id, topic = split(chunk[i])
      local at = tonumber(chunk[i + 1])
      examined = examined + 1
      local state = isBefore(at, id, time, bound) and onTopic(topic) and wantedState(base, id)
      if state then
        push(slice, chunk[i + 1], id, topic, state)
        taken = taken + 1
      end
      if taken == count or examined >= ${EXAMINE} then
        slice[1], slice[2], slice[3] = 1, chunk[i + 1], id
        return slice
      end
    end
    first = first + #chunk / 2
  end
  return slice
end

local function find(base, key, at, bound, total, matching)
  if matching == 0 then return { 0, '', '', 0 } end
  local first = redis.call('ZCOUNT', key, '(' .. at, '+inf')
  local last = since == '0' and total or redis.call('ZCOUNT', key, since, '+inf')
  local time = tonumber(at)
  if matching <= ${COLLECT} and matching * 3 < last - first then return collect(base, time, bound) end
  return walk(key, base, time, bound, first, last)
end

local slices = {}
for i = 5, #ARGV, 3 do
  local base, slice = KEYS[1] .. ARGV[i] .. ':', { 1, ARGV[i + 1], ARGV[i + 2], 0 }
  if examined < ${EXAMINE} then
    local total, there, matching = redis.call('ZCARD', base .. 'received'), 0, 0
    for _, state in ipairs({ 'completed', 'failed', 'delayed', 'prioritized', 'active', 'waiting' }) do
      local n = size(base, state)
      there = there + n
      if isWanted(state) then matching = matching + n end
    end
    slice = find(base, base .. 'received', ARGV[i + 1], ARGV[i + 2], total, matching)
    if total ~= there then slice[4] = 1 end
  end
  slices[#slices + 1] = slice
end
return slices`;

/** Indexes jobs that a bridge without an index added. Returns whether there are more, and the surplus of entries. */
export const FILL = `
local base, more = KEYS[1] .. ARGV[1] .. ':', 0
for _, list in ipairs({ 'completed', 'failed', 'delayed', 'prioritized', 'active', 'wait' }) do
  local range = (list == 'active' or list == 'wait') and 'LRANGE' or 'ZRANGE'
  local ids = redis.call(range, base .. list, ARGV[2], ARGV[3])
  if #ids > tonumber(ARGV[3]) - tonumber(ARGV[2]) then more = 1 end
  for _, id in ipairs(ids) do
    local data = redis.call('HGET', base .. id, 'data')
    if data then redis.call('ZADD', base .. 'received', indexed(id, data)) end
  end
end
return more`;

/** Removes entries whose jobs a bridge without an index removed. Returns the number of entries left in the range. */
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
