"""Lua about what the engine holds: docket's stream, the group of its workers, and its hash for each task.

docket deletes a message when it acknowledges it, so what is in its stream is exactly what it holds: waiting,
or delivered and pending for a worker. Its hash names the message only while that waits.
"""

from typing import Final

HELD: Final = """
local engine = {}
function engine.waiting(task) return redis.call('HGET', task, 'stream_id') end
function engine.delivered(task) return redis.call('HGET', task, 'state') == 'running' end
function engine.holds(stream, message)
  if not message or message == '' then return false end
  return #redis.call('XRANGE', stream, message, message) > 0
end
local messages
local function read(stream)
  messages = {}
  local start = '-'
  while true do
    local found = redis.call('XRANGE', stream, start, '+', 'COUNT', 500)
    for _, entry in ipairs(found) do
      for i = 1, #entry[2], 2 do
        local id = entry[2][i] == 'key' and entry[2][i + 1]
        if id then messages[id] = messages[id] or entry[1] end
      end
    end
    if #found < 500 then return end
    local time, number = string.match(found[#found][1], '(%d+)-(%d+)')
    start = time .. '-' .. string.format('%d', number + 1)
  end
end
function engine.find(stream, id)
  if not messages then read(stream) end
  return messages[id]
end
function engine.is_of(stream, group, worker, message)
  local pending = redis.pcall('XPENDING', stream, group, message, message, 1, worker)
  return not pending.err and #pending > 0
end
function engine.forget(task)
  if redis.call('EXISTS', task) == 1 then redis.call('HSET', task, 'state', 'failed') end
  redis.call('HDEL', task, 'known', 'stream_id')
end
"""
"""Functions for scripts of others: which message carries a run, and whether it is still there.

``find`` reads the whole stream, once in a script however many runs are looked for.
``forget`` lets a task be added again whose message is gone; docket takes it for waiting or running.
"""

_CLOCK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function gap(beat, lease) return now - (redis.call('HGET', beat, 'last') or 0) > lease / 2 end
"""

# A message is renewed only by whom it belongs to: docket's own renewal takes it back from a worker that got
# it meanwhile. A full Redis refuses the beat; the leases are renewed all the same.
RENEW: Final = (
    HELD
    + _CLOCK
    + """
local stream, beat = KEYS[1], KEYS[2]
local group, worker, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
if gap(beat, lease) then redis.pcall('HSET', beat, 'since', now) end
redis.pcall('HSET', beat, 'last', now)
local renewed = 0
for i = 4, #ARGV do
  if engine.is_of(stream, group, worker, ARGV[i]) then
    redis.call('XCLAIM', stream, group, worker, 0, ARGV[i], 'JUSTID')
    renewed = renewed + 1
  end
end
return renewed
"""
)

# While nobody could reach Redis nobody could renew: after that, everybody gets one lease of time for it.
CLAIM: Final = (
    _CLOCK
    + """
local stream, beat = KEYS[1], KEYS[2]
local group, worker, lease, start, count = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if gap(beat, lease) or now - (redis.call('HGET', beat, 'since') or now) < lease then return {} end
return redis.call('XAUTOCLAIM', stream, group, worker, lease, start, 'COUNT', count)
"""
)
