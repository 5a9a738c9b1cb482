-- Which log this is: one that there is not yet is born now. A stream that somebody's id has made unusable is begun anew.
-- KEYS: meta, events, now    ARGV: the mark of a new log
-- Gives: born, the oldest entry of events, the newest id given, the clock
return answered(function()
  local now = clock()
  local limit = now + HORIZON
  if top(KEYS[2]) > limit then
    must('DEL', KEYS[2])
    must('HDEL', KEYS[1], 'born')
  end
  if top(KEYS[3]) > limit then must('DEL', KEYS[3]) end
  local state = must('HMGET', KEYS[1], 'born', 'last')
  local born = state[1]
  if not born or born == '' then
    born = ARGV[1]
    must('HSET', KEYS[1], 'born', born)
  end
  local first = must('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  local oldest = first and string.match(first[1], '^%d+') or '0'
  return { born, oldest, text(number(state[2], limit)), text(now) }
end)
