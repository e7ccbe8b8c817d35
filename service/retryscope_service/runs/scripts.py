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
for i = 6, #ARGV, 2 do redis.call('HSET', record, ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', active, now, id)
redis.call('ZADD', index, '-' .. now, id)
redis.call('ZADD', pending, now, id)
if body ~= '' then
  redis.call('HSET', same, 'run', id)
  redis.call('HSET', same, 'body', body)
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
redis.call('HSET', record, 'start_call', call)
redis.call('HSET', record, 'start_verdict', verdict)
if verdict ~= 'run' then return {verdict, tostring(delivery)} end
redis.call('HSET', record, 'state', 'running')
redis.call('HSET', record, 'worker', worker)
redis.call('HSET', record, 'delivered_at', now)
if delivery == 1 then redis.call('HSET', record, 'started_at', now) end
redis.call('ZADD', running, now, id)
say(events, now, 'running', delivery)
return {'run', tostring(delivery)}
"""
)

FINISH = (
    _PRELUDE
    + """
local record, active, finished = KEYS[1], KEYS[2], KEYS[3]
local running, pending, events = KEYS[4], KEYS[5], KEYS[6]
local id, now, delivery = ARGV[1], ARGV[2], ARGV[3]
local state = redis.call('HGET', record, 'state')
if not state or redis.call('HGET', record, 'delivery') ~= delivery then return 'late' end
if final[state] then
  if redis.call('HGET', record, 'ended_by') == delivery then return 'done' end
  return 'late'
end
redis.call('HSET', record, 'ended_at', now)
redis.call('HSET', record, 'ended_by', delivery)
for i = 4, #ARGV, 2 do redis.call('HSET', record, ARGV[i], ARGV[i + 1]) end
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

# A run stays pending until it is known which message carries it: the engine says so until the message is
# delivered, the delivery says so when it starts. If it is delivered and for long does not start, the message
# may be gone: then it is looked for, once.
ENQUEUED = (
    HELD
    + """
local record, pending, task, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, now, patience = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local since = redis.call('ZSCORE', pending, id)
if not since then return end
if redis.call('EXISTS', record) == 1 then
  local message = engine.waiting(task)
  if not message then
    if not engine.delivered(task) or now - since < patience then return end
    message = engine.find(stream, id)
    if not message then return engine.forget(task) end
  end
  redis.call('HSET', record, 'message_id', message)
end
redis.call('ZREM', pending, id)
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

ADD_EVENTS = """
local events, most = KEYS[1], tonumber(ARGV[1])
for i = 2, #ARGV do
  if redis.call('LLEN', events) >= most then return end
  redis.call('RPUSH', events, ARGV[i])
end
"""

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
