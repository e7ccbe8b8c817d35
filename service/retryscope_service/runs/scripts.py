"""The changes of a run's state, each one Lua script: it happens whole or not at all.

The first final state wins, and only the last delivery can write it. A script may be repeated when the answer
to it got lost. Only commands are used that Redis and docket's in-memory stand-in both have, so times come
from outside, and JSON is put together by hand. A full Redis refuses a script at its first command that needs
memory, if it has not written before: so that command comes first.
"""

from retryscope_service.runs.engine.scripts import HELD

_PRELUDE = """
local final = {succeeded=true, failed=true, cancelled=true, lost=true}
local function say(events, now, state, delivery)
  redis.call('RPUSH', events, '{"event": "state", "time": ' .. now .. ', "state": "' .. state ..
    '", "delivery": ' .. delivery .. '}')
end
"""

# Those of the ARGV from `first` to `last`, as far as there is room.
_ADD = """
local function add(events, most, first, last)
  last = math.min(last, first + most - redis.call('LLEN', events) - 1)
  if first <= last then redis.call('RPUSH', events, unpack(ARGV, first, last)) end
end
"""

SUBMIT = (
    _PRELUDE
    + """
local record, same, active, index, pending, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local id, now, limit, body, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if body ~= '' then
  local known = redis.call('HGET', same, 'run')
  if known then
    if known == id then return {'new', id} end
    if redis.call('HGET', same, 'body') ~= body then return {'conflict', known} end
    return {'known', known}
  end
end
if redis.call('EXISTS', record) == 1 then return {'new', id} end
if redis.call('ZCARD', active) >= limit then return {'full', ''} end
redis.call('HSET', record, unpack(ARGV, 6))
redis.call('ZADD', active, now, id)
redis.call('ZADD', index, '-' .. now, id)
redis.call('ZADD', pending, now, id)
if body ~= '' then
  redis.call('HSET', same, 'run', id, 'body', body)
  redis.call('EXPIRE', same, ttl)
  redis.call('HSET', record, 'same', same)
end
say(events, now, 'queued', 0)
return {'new', id}
"""
)

# A delivery whose message is gone, or belongs to another worker meanwhile, is none: its worker was stopped
# before it could start. What runs in this worker goes on as the new delivery.
START = (
    _PRELUDE
    + HELD
    + """
local record, running, pending, events, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, worker, most, id, call = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local message, group, here = ARGV[6], ARGV[7], ARGV[8]
local state = redis.call('HGET', record, 'state')
if not state or final[state] then return {'ended', '0'} end
if redis.call('HGET', record, 'start_call') == call then
  return {redis.call('HGET', record, 'start_verdict'), redis.call('HGET', record, 'delivery')}
end
if message ~= '' then
  if not engine.holds(stream, message) then return {'overtaken', '0'} end
  if group ~= '' and not engine.is_of(stream, group, worker, message) then return {'overtaken', '0'} end
  redis.call('HSET', record, 'message_id', message)
end
local delivery = redis.call('HGET', record, 'delivery')
if here ~= '' and here == delivery then
  redis.call('ZREM', pending, id)
  return {'run', delivery}
end
delivery = redis.call('HINCRBY', record, 'delivery', 1)
redis.call('ZREM', pending, id)
local verdict = 'run'
if state == 'cancelling' then verdict = 'abandoned' elseif delivery > most then verdict = 'lost' end
redis.call('HSET', record, 'start_call', call, 'start_verdict', verdict)
if verdict ~= 'run' then return {verdict, tostring(delivery)} end
redis.call('HSET', record, 'state', 'running', 'worker', worker, 'delivered_at', now)
if delivery == 1 then redis.call('HSET', record, 'started_at', now) end
redis.call('ZADD', running, now, id)
say(events, now, 'running', delivery)
return {'run', tostring(delivery)}
"""
)

# What still happened in the run comes before the change of state that it led to. The events of a late
# delivery are those of a try as well, but a record that is gone gets none: nobody would ever remove them.
FINISH = (
    _PRELUDE
    + _ADD
    + """
local record, active, finished = KEYS[1], KEYS[2], KEYS[3]
local running, pending, events = KEYS[4], KEYS[5], KEYS[6]
local id, now, delivery, most, fields = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local state = redis.call('HGET', record, 'state')
if not state then return 'late' end
local last = redis.call('HGET', record, 'delivery') == delivery
if last and final[state] and redis.call('HGET', record, 'ended_by') == delivery then return 'done' end
add(events, most, 6 + fields, #ARGV)
if not last or final[state] then return 'late' end
redis.call('HSET', record, 'ended_at', now, 'ended_by', delivery, unpack(ARGV, 6, 5 + fields))
redis.call('ZREM', active, id)
redis.call('ZREM', running, id)
redis.call('ZREM', pending, id)
redis.call('ZADD', finished, now, id)
say(events, now, redis.call('HGET', record, 'state'), delivery)
return 'done'
"""
)

HAND_BACK = (
    _PRELUDE
    + """
local record, running, events = KEYS[1], KEYS[2], KEYS[3]
local now, delivery, id = ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HGET', record, 'state')
if not state or final[state] or redis.call('HGET', record, 'delivery') ~= delivery then return 'late' end
if state == 'cancelling' then return 'cancelling' end
if state == 'queued' then return 'done' end
redis.call('HSET', record, 'state', 'queued')
redis.call('HINCRBY', record, 'handed_back', 1)
redis.call('ZREM', running, id)
say(events, now, 'queued', delivery)
return 'done'
"""
)

CANCEL = (
    _PRELUDE
    + """
local record, active, finished, pending, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, now = ARGV[1], ARGV[2]
local state = redis.call('HGET', record, 'state')
if not state then return {'unknown', ''} end
if final[state] then return {'ended', state} end
local delivery = redis.call('HGET', record, 'delivery') or '0'
if not redis.call('HGET', record, 'cancel_requested_at') then
  redis.call('HSET', record, 'cancel_requested_at', now)
end
if state == 'queued' then
  redis.call('HSET', record, 'state', 'cancelled')
  redis.call('HSET', record, 'outcome', 'cancelled')
  redis.call('HSET', record, 'ended_at', now)
  redis.call('ZREM', active, id)
  redis.call('ZREM', pending, id)
  redis.call('ZADD', finished, now, id)
  say(events, now, 'cancelled', delivery)
  return {'cancelled', state}
end
if state ~= 'cancelling' then say(events, now, 'cancelling', delivery) end
redis.call('HSET', record, 'state', 'cancelling')
return {'cancelling', state}
"""
)

# A run stays pending until it is known which message carries it: the delivery says so when it starts. Of
# those that wait for longer the engine says so until the message is delivered; if it is delivered and for
# long does not start, the message may be gone: then it is looked for. Those that the engine has not got are
# found.
UNHELD = (
    HELD
    + """
local pending, stream = KEYS[1], KEYS[2]
local now, newest, patience = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local start, number, records, tasks = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local ids = redis.call('ZRANGEBYSCORE', pending, 0, newest, 'LIMIT', start, number)
local left, found = #ids, {}
for _, id in ipairs(ids) do
  local record, task = records .. id, tasks .. id
  local text = redis.call('HGET', record, 'message')
  local message = engine.waiting(task)
  local starting = false
  if text and not message and engine.delivered(task) then
    starting = now - redis.call('ZSCORE', pending, id) < patience
    if not starting then
      message = engine.find(stream, id)
      if not message then engine.forget(task) end
    end
  end
  if text and message then redis.call('HSET', record, 'message_id', message) end
  if message or not text then
    redis.call('ZREM', pending, id)
    left = left - 1
  elseif not starting then
    found[#found + 1] = id
    found[#found + 1] = text
  end
end
return {#ids, left, found}
"""
)

# Runs whose message is gone become pending again. Whose record is gone, or has ended, has no place any more.
RECONCILE = (
    _PRELUDE
    + HELD
    + """
local active, running, pending, index, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local start, stop, records, tasks = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local ids = redis.call('ZRANGE', active, start, stop)
local found = {tostring(#ids)}
for _, id in ipairs(ids) do
  local record = records .. id
  local state = redis.call('HGET', record, 'state')
  if not state or final[state] then
    redis.call('ZREM', active, id)
    redis.call('ZREM', running, id)
    redis.call('ZREM', pending, id)
    if not state then redis.call('ZREM', index, id) end
  elseif not redis.call('ZSCORE', pending, id)
      and not engine.holds(stream, redis.call('HGET', record, 'message_id')) then
    redis.call('ZADD', pending, 0, id)
    engine.forget(tasks .. id)
    found[#found + 1] = id
    found[#found + 1] = redis.call('HGET', record, 'workflow')
  end
end
return found
"""
)

# Of any number of runs: KEYS are their events; before each one's stands how many there are.
ADD_EVENTS = (
    _ADD
    + """
local most, at = tonumber(ARGV[1]), 2
for _, events in ipairs(KEYS) do
  local number = tonumber(ARGV[at])
  add(events, most, at + 1, at + number)
  at = at + number + 1
end
"""
)

PAGE = """
return redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', ARGV[2], ARGV[3])
"""

FORGET = """
local record, events, index, finished = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id = ARGV[1]
local same = redis.call('HGET', record, 'same')
if same and redis.call('HGET', same, 'run') == id then redis.call('DEL', same) end
redis.call('DEL', record)
redis.call('DEL', events)
redis.call('ZREM', index, id)
redis.call('ZREM', finished, id)
"""
