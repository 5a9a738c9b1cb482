-- Which log this is: one that there is not yet is born now, with its stream of events. A stream that somebody's id has made
-- unusable is begun anew; where somebody has taken that of events away, the log is another, and is given what it lacks.
-- KEYS: meta, events, now    ARGV: the mark of a new log
-- Gives: born, the oldest entry of events, the newest id given, the clock
return answered(function()
  local now = clock()
  local limit = now + HORIZON
  if top(KEYS[2]) > limit then must('DEL', KEYS[2]) end
  if top(KEYS[3]) > limit then must('DEL', KEYS[3]) end
  local state = must('HMGET', KEYS[1], 'born', 'last')
  local born = state[1]
  local has_events = must('EXISTS', KEYS[2]) == 1
  -- What is no mark of ours is somebody else's.
  if not has_events or not born or #born ~= 32 or string.find(born, '%X') then
    born = ARGV[1]
    -- A stream without entries is there all the same.
    if not has_events then must('XADD', KEYS[2], 'MAXLEN', '0', '1-0', 'b', '') end
    must('HSET', KEYS[1], 'born', born)
  end
  local first = must('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  local oldest = first and string.match(first[1], '^%d+') or '0'
  return { born, oldest, text(number(state[2], limit)), text(now) }
end)
